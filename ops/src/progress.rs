//! A progress bar, on a terminal's standard error alone.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// A bar over so many events; invisible where standard error is no terminal. `total` 0 is not known yet.
pub fn bar(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if !output::stderr_is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
        return bar;
    }
    let form = if total == 0 {
        "{msg} {human_pos} events, {per_sec}"
    } else {
        "{msg} [{bar:32}] {human_pos} of {human_len} events, {per_sec}, {eta} left"
    };
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(what);
    bar
}

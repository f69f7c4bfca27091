//! Views in words: for the reference page and for `ledger catalog views`.

use std::fmt::Write as _;

use super::plan::View;

/// A view as Markdown under a heading of this depth.
pub fn page(view: &View, depth: usize) -> String {
    let mut text = format!(
        "{} `views.{}`\n\n{}",
        "#".repeat(depth),
        view.name,
        view.about
    );
    if let Some(kind) = &view.kind {
        let _ = write!(text, " From `{kind}`.");
    }
    text.push_str("\n\n| column | type | what it says |\n|---|---|---|\n");
    for column in &view.columns {
        let about = column.about.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(
            text,
            "| `{}` | {} | {about} |",
            column.name, column.column_type
        );
    }
    text
}

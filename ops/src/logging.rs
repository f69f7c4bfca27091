//! Log lines: on standard error, as text on a terminal and as JSON otherwise, or as configured.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};
use crate::exit::Failure;

/// Starts logging; `level` is what is logged where the configuration does not say.
pub fn start(config: &Config, level: &str, colour: bool) -> Result<(), Failure> {
    let wanted = config.log_level.as_deref().unwrap_or(level);
    let filter = EnvFilter::try_new(wanted).map_err(|error| {
        Failure::usage(format!("log.level is {wanted:?}"))
            .because(error)
            .mend("it is like info, debug, or warn,ingest=debug")
    })?;
    let terminal = std::io::stderr().is_terminal();
    let format = config.log_format.unwrap_or(if terminal {
        LogFormat::Text
    } else {
        LogFormat::Json
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start in one process is a test's; the first one stays.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(colour).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

//! One file a command.

pub mod completions;
pub mod man;
pub mod up;

use crate::app::App;
use crate::cli::{Cli, Command};
use crate::exit::Outcome;

/// Runs the command.
pub async fn run(cli: Cli) -> Outcome {
    let app = App::new(cli.globals);
    match cli.command {
        // These end by themselves when they are told to stop.
        Command::Up(command) => command.run(&app).await,
        other => tokio::select! {
            outcome = run_short(&app, other) => outcome,
            _ = tokio::signal::ctrl_c() => std::process::exit(130),
        },
    }
}

/// Runs a command that may simply be interrupted.
async fn run_short(app: &App, command: Command) -> Outcome {
    match command {
        Command::Up(command) => command.run(app).await,
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

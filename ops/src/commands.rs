//! One file a command.

pub mod catalog;
pub mod check;
pub mod checkpoint;
pub mod completions;
pub mod export;
pub mod filter;
pub mod history;
pub mod hold;
pub mod incidents;
pub mod init;
pub mod log;
pub mod man;
pub mod publish;
pub mod publishers;
pub mod quarantine;
pub mod rebuild;
pub mod recover;
pub mod redact;
pub mod retention;
pub mod rollback_target;
pub mod rule;
pub mod sample;
pub mod serve;
pub mod show;
pub mod state;
pub mod status;
pub mod tasks;
pub mod up;
pub mod verify;
pub mod violations;

use crate::app::App;
use crate::cli::{Cli, Command};
use crate::exit::Outcome;

/// What a shell makes of a program that SIGINT ended.
const INTERRUPTED: i32 = 130;

/// Runs the command.
pub async fn run(cli: Cli) -> Outcome {
    let app = App::new(cli.globals);
    match cli.command {
        // These end by themselves when they are told to stop.
        Command::Up(command) => Box::pin(command.run(&app)).await,
        Command::Serve(command) => command.run(&app).await,
        other => tokio::select! {
            outcome = run_short(&app, other) => outcome,
            _ = tokio::signal::ctrl_c() => std::process::exit(INTERRUPTED),
        },
    }
}

/// Runs a command that may simply be interrupted.
async fn run_short(app: &App, command: Command) -> Outcome {
    match command {
        Command::Up(command) => Box::pin(command.run(app)).await,
        Command::Serve(command) => command.run(app).await,
        Command::Init(command) => command.run(app).await,
        Command::Publish(command) => command.run(app).await,
        Command::Publishers(command) => command.run(app),
        Command::Check(command) => command.run(app),
        Command::Sample(command) => command.run(app).await,
        Command::Log(command) => command.run(app).await,
        Command::Tail(command) => command.run(app).await,
        Command::State(command) => command.run(app).await,
        Command::Show(command) => command.run(app).await,
        Command::History(command) => command.run(app).await,
        Command::Violations(command) => command.run(app).await,
        Command::Tasks(command) => command.run(app).await,
        Command::Incidents(command) => command.run(app).await,
        Command::Quarantine(command) => command.run(app).await,
        Command::RollbackTarget(command) => command.run(app).await,
        Command::Verify(command) => command.run(app).await,
        Command::Export(command) => command.run(app).await,
        Command::Checkpoint(command) => command.run(app).await,
        Command::Catalog(command) => command.run(app).await,
        Command::Recover(command) => command.run(app).await,
        Command::Rebuild(command) => command.run(app).await,
        Command::Retention(command) => command.run(app).await,
        Command::Hold(command) => command.run(app).await,
        Command::Redact(command) => command.run(app).await,
        Command::Rule(command) => command.run(app).await,
        Command::Status(command) => command.run(app).await,
        Command::Completions(command) => command.run(),
        Command::Man(command) => command.run(),
    }
}

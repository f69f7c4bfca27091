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
mod named;
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
use crate::cli::{Cli, Command, Globals};
use crate::exit::{Exit, Outcome};
use crate::output;
use crate::stop::Told;

/// Runs the command.
pub async fn run(cli: Cli) -> Outcome {
    match cli.command {
        // These end by themselves when they are told to stop.
        Command::Up(command) => Box::pin(command.run(&App::new(cli.globals, None))).await,
        Command::Serve(command) => command.run(&App::new(cli.globals, None)).await,
        other => run_told(cli.globals, other).await,
    }
}

/// Runs a command until it is done or told to stop. What it has begun goes when it is dropped, and it is said what
/// stays.
async fn run_told(globals: Globals, command: Command) -> Outcome {
    let told = Told::listen()?;
    let app = App::new(globals, Some(told.clone()));
    let left = left(&command);
    let mut waiting = told.clone();
    let outcome = tokio::select! {
        biased;
        outcome = run_short(&app, command) => Some(outcome),
        _ = waiting.wait() => None,
    };
    match (outcome, told.sign()) {
        // Done all the same, or failed for a reason of its own.
        (Some(outcome), None) => outcome,
        (Some(Ok(exit)), _) => Ok(exit),
        (_, Some(sign)) => {
            output::say(&format!("ledger: ended by {}: {left}", sign.as_str()));
            Ok(Exit::Told(sign))
        }
        (None, None) => Ok(Exit::Failed),
    }
}

/// What a command leaves behind that was told to stop.
fn left(command: &Command) -> &'static str {
    match command {
        Command::Export(_) => "what was written of the bundle is removed",
        Command::Rebuild(_) => "readers see whole views; run it again, and it goes on where it was",
        Command::Recover(_) | Command::Init(_) => "run it again, and it goes on",
        Command::Verify(_) => "nothing is decided",
        Command::Publish(_) => {
            "what NATS has taken goes its way; publish all of it again, and nothing is recorded twice"
        }
        Command::Tail(_) => "the chain goes on without an onlooker",
        _ => "it was not done",
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

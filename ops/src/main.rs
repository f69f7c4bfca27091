//! The program `ledger`: how the ledger is run.
//!
//! One file a command under `commands/`; this is the only crate that reads the clock, the environment and
//! random numbers, and hands them to the others as parameters.
#![allow(
    clippy::disallowed_methods,
    reason = "ops is the one place where the clock, the environment and randomness are read"
)]

mod app;
mod backlog;
mod cli;
mod commands;
mod config;
mod connect;
mod decide;
#[cfg(test)]
mod documented;
mod exit;
mod http;
mod input;
mod item;
mod logging;
mod output;
mod packages;
mod progress;
#[cfg(test)]
mod reference;
mod released;
mod roles;
mod stop;
mod tls;
mod up;
mod when;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;
use crate::exit::{Exit, Outcome};

/// Judging makes and drops many small values, over threads: with the C library's allocator a third of the fold's
/// time went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for and go to standard output; the rest to standard error.
            let _ = error.print();
            let usage = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return ExitCode::from(usage.code());
        }
    };
    let colour = cli.globals.colour(std::io::stderr().is_terminal());
    match run(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            if !failure.is_broken_pipe() {
                let label = if colour {
                    "\u{1b}[1;31merror\u{1b}[0m"
                } else {
                    "error"
                };
                output::say(&format!("ledger: {label}: {}", failure.render()));
            }
            ExitCode::from(failure.exit().code())
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| exit::Failure::new("cannot start the runtime").because(error))?;
    let ended = runtime.block_on(commands::run(cli));
    // A blocking read of standard input cannot be cancelled; do not wait for it.
    runtime.shutdown_background();
    ended
}

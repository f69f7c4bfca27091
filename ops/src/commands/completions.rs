//! `ledger completions`: what a shell needs to complete our commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{Exit, Outcome};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  ledger completions bash > /etc/bash_completion.d/ledger
  ledger completions zsh > \"${fpath[1]}/_ledger\"
  ledger completions fish > ~/.config/fish/completions/ledger.fish";

/// Print what a shell needs to complete the commands
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(self) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "ledger", &mut script);
        output::text(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}

//! `ledger man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};

use crate::cli::Cli;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  ledger man | man -l -                       read the page of the program
  ledger man --dir /usr/local/share/man/man1   write a page for every command";

/// Print the manual page, or write one for every command
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Man {
    /// The folder that the pages are written to, one for every command
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages.
    pub fn run(self) -> Outcome {
        let mut program = Cli::command();
        program.build();
        match self.dir {
            None => output::text(&page(program)?)?,
            Some(dir) => {
                std::fs::create_dir_all(&dir).map_err(|error| {
                    Failure::usage(format!("cannot make {}", dir.display()))
                        .because(error)
                        .mend("name a folder that is there or can be made: ledger man --dir man1")
                })?;
                write_pages(&dir, program, "ledger")?;
            }
        }
        Ok(Exit::Done)
    }
}

fn write_pages(dir: &std::path::Path, command: clap::Command, name: &str) -> Result<(), Failure> {
    for inner in command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help")
    {
        write_pages(dir, inner.clone(), &format!("{name}-{}", inner.get_name()))?;
    }
    let file = dir.join(format!("{name}.1"));
    let text = page(command.name(name.to_owned()))?;
    std::fs::write(&file, text).context(format!("cannot write {}", file.display()))
}

fn page(command: clap::Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

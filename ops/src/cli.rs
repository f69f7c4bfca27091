//! The command line: what is common to all commands, and the list of them.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::output::Format;

const ABOUT: &str =
    "Records what infrastructure tooling did, so that nobody can change or lose it unnoticed.";

const EXAMPLES: &str = "\
Try it:
  ledger up                                     everything on this machine, nothing to configure
  ledger publish events.ndjson --wait           publish events, wait until they are in the chain
  ledger state platform.environment             what is the state of everything
  ledger history platform.environment staging   how did it come about
  ledger violations --status open               which rules are broken
  ledger incidents --unresolved                 what needs somebody now
  ledger verify                                 recompute the whole chain from what is stored

Configuration: --config FILE, the folder in --data DIR, $LEDGER_CONFIG,
./ledger.toml, then the data folder of `ledger up`; LEDGER_… variables win over
the file, and flags over these.

Exit codes:
  0 done                                4 violations found where none should be
  1 failed while running                5 not found
  2 used or configured wrongly          6 a server could not be reached
  3 the evidence does not hold          129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM";

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(name = "ledger", version, about = ABOUT, long_about = None, after_help = EXAMPLES, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// What is common to all commands.
    #[command(flatten)]
    pub globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder of `ledger up`, where its configuration is found [default: .ledger]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The ledger's name
    #[arg(long, global = true, value_name = "NAME", value_parser = text)]
    pub ledger: Option<String>,
    /// The form of what is printed
    #[arg(
        short,
        long,
        global = true,
        value_name = "FORM",
        default_value = "table"
    )]
    pub output: Format,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        alias = "colour"
    )]
    pub color: Colour,
    /// How log lines are written [default: text on a terminal, else json]
    #[arg(long, global = true, value_name = "FORM",
        value_parser = PossibleValuesParser::new(["text", "json"]).map(|form| form))]
    pub log_format: Option<String>,
    /// What is logged, e.g. `info` or `warn,ingest=debug`
    #[arg(long, global = true, value_name = "LEVEL", value_parser = text)]
    pub log_level: Option<String>,
}

impl Globals {
    /// Whether to colour what goes to a place that is, or is not, a terminal.
    pub fn colour(&self, terminal: bool) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }
}

/// Refuses an empty value: it never says what was meant.
pub fn text(value: &str) -> Result<String, String> {
    if value.trim().is_empty() {
        return Err("a value is needed, and this one is empty".to_owned());
    }
    Ok(value.to_owned())
}

/// The commands, in the order in which one meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    Up(commands::up::Up),
    Init(commands::init::Init),
    Serve(commands::serve::Serve),
    Publish(commands::publish::Publish),
    Publishers(commands::publishers::Publishers),
    Check(commands::check::Check),
    Sample(commands::sample::Sample),
    Log(commands::log::Log),
    Tail(commands::log::Tail),
    State(commands::state::State),
    Show(commands::show::Show),
    History(commands::history::History),
    Violations(commands::violations::Violations),
    Tasks(commands::tasks::Tasks),
    Incidents(Box<commands::incidents::Incidents>),
    Quarantine(commands::quarantine::Quarantine),
    RollbackTarget(commands::rollback_target::RollbackTarget),
    Verify(commands::verify::Verify),
    Export(commands::export::Export),
    Checkpoint(commands::checkpoint::Checkpoint),
    Catalog(commands::catalog::Catalog),
    Recover(commands::recover::Recover),
    Rebuild(commands::rebuild::Rebuild),
    Retention(commands::retention::Retention),
    Hold(commands::hold::Hold),
    Redact(commands::redact::Redact),
    Rule(commands::rule::Rule),
    Status(commands::status::Status),
    Completions(commands::completions::Completions),
    Man(commands::man::Man),
}

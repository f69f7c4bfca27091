//! What every command has at hand: its options, the environment, the configuration, the clock.

use std::io::IsTerminal;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::Globals;
use crate::config::{self, Config, Settings, Variables};
use crate::exit::Failure;
use crate::output::{self, Column, Format, Printed};
use crate::stop::Told;
use crate::when::{self, Period};

/// A command's surroundings.
#[derive(Debug)]
pub struct App {
    /// The options of every command.
    pub globals: Globals,
    /// The environment, read once.
    pub variables: Variables,
    told: Option<Told>,
}

impl App {
    /// Reads the environment; `told` says when to stop.
    pub fn new(globals: Globals, told: Option<Told>) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            globals,
            variables,
            told,
        }
    }

    /// Asks whether the command was told to stop, for work that nothing can drop in between.
    pub fn is_told(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let told = self.told.clone();
        move || told.as_ref().is_some_and(|told| told.sign().is_some())
    }

    /// The configuration, with the options of every command as its topmost layer.
    pub fn config(&self) -> Result<Config, Failure> {
        self.config_with(Settings::default())
    }

    /// The configuration, with a command's own flags on top.
    pub fn config_with(&self, flags: Settings) -> Result<Config, Failure> {
        let named = self.globals.config.as_deref();
        let file = config::find(named, self.globals.data.as_deref(), &self.variables)?;
        self.config_from(file.as_deref(), flags)
    }

    /// The configuration from this file, with a command's own flags on top.
    pub fn config_from(&self, file: Option<&Path>, mut flags: Settings) -> Result<Config, Failure> {
        flags.ledger = flags.ledger.or_else(|| self.globals.ledger.clone());
        flags.log.format = flags.log.format.or_else(|| self.globals.log_format.clone());
        flags.log.level = flags.log.level.or_else(|| self.globals.log_level.clone());
        config::load(file, &self.variables, flags)
    }

    /// The form of what is printed.
    pub fn format(&self) -> Format {
        self.globals.output
    }

    /// Whether to colour standard output.
    pub fn colour(&self) -> bool {
        self.globals.colour(std::io::stdout().is_terminal())
    }

    /// Whether to colour standard error.
    pub fn colour_of_stderr(&self) -> bool {
        self.globals.colour(std::io::stderr().is_terminal())
    }

    /// A list on standard output.
    pub fn rows(&self, columns: &[Column]) -> Printed {
        output::rows(self.format(), columns, self.colour())
    }

    /// One thing on standard output.
    pub fn one(&self, item: &impl serde::Serialize) -> Result<(), Failure> {
        output::one(self.format(), item, self.colour())
    }

    /// A time that was given for `option`.
    pub fn period(option: &str, text: &str) -> Result<Period, Failure> {
        when::parse(text, now_us()).map_err(|said| Failure::usage(format!("{option}: {said}")))
    }
}

/// The clock, in microseconds since the Unix epoch.
pub fn now_us() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Random bytes from the operating system.
pub fn random(into: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(into)
        .map_err(|error| Failure::new(format!("the system gives no random numbers: {error}")))
}

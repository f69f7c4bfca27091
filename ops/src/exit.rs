//! How a command ends: the exit codes that scripts rely on, and failures that say what, where and the mend.

use std::error::Error;
use std::fmt::Write as _;

use crate::stop::Sign;

/// The exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and what was asked holds.
    Done,
    /// Failed while running.
    Failed,
    /// Used or configured wrongly.
    Usage,
    /// Verification failed: the evidence does not hold.
    Unproved,
    /// Violations found, where the command asserts that there are none.
    Violations,
    /// Not found.
    NotFound,
    /// A server could not be reached.
    Away,
    /// A signal ended it before it was done.
    Told(Sign),
}

impl Exit {
    /// The code as the operating system takes it.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Unproved => 3,
            Self::Violations => 4,
            Self::NotFound => 5,
            Self::Away => 6,
            Self::Told(sign) => sign.code(),
        }
    }
}

/// A command that failed: the exit code, what was wrong, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    what: String,
    mend: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a command gives: how it ended, or a failure that is printed.
pub type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A failure while running.
    pub fn new(what: impl Into<String>) -> Self {
        Self::with(Exit::Failed, what)
    }

    /// A failure with its exit code.
    pub fn with(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            mend: None,
            source: None,
        }
    }

    /// The program was used or configured wrongly.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::with(Exit::Usage, what)
    }

    /// What was asked for does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::with(Exit::NotFound, what)
    }

    /// The same with another exit code.
    #[must_use]
    pub fn exit_with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Says what was underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The exit code; a reader of our output that went away is no failure.
    pub fn exit(&self) -> Exit {
        if self.is_broken_pipe() {
            Exit::Done
        } else {
            self.exit
        }
    }

    /// Whether whoever read our output has stopped reading, as `ledger log | head` does.
    pub fn is_broken_pipe(&self) -> bool {
        let mut next = self.first_cause();
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::BrokenPipe
            {
                return true;
            }
            next = error.source();
        }
        false
    }

    fn first_cause(&self) -> Option<&(dyn Error + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }

    /// The failure as it is printed: one paragraph, then the mend on a line of its own.
    pub fn render(&self) -> String {
        let mut text = self.what.clone();
        let mut next = self.first_cause();
        while let Some(error) = next {
            let said = error.to_string();
            if !said.is_empty() && !text.ends_with(&said) {
                let _ = write!(text, ": {said}");
            }
            next = error.source();
        }
        if let Some(mend) = &self.mend {
            let _ = write!(text, "\n  mend: {mend}");
        }
        text
    }
}

/// Gives what failed a sentence of its own.
pub trait Context<T> {
    /// Turns the error into a failure while running, with `what` in front of it.
    fn context(self, what: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what).because(error))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new("cannot write the output").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_one_sentence_and_a_mend() {
        let failure = Failure::usage("cannot read ledger.toml")
            .because(std::io::Error::other("it is a folder"))
            .mend("name a file");
        assert_eq!(
            failure.render(),
            "cannot read ledger.toml: it is a folder\n  mend: name a file"
        );
        assert_eq!(failure.exit(), Exit::Usage);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit(), Exit::Done);
    }
}

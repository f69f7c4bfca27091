//! Options that several lists share: from when to when, and how many.

use clap::Args;
use ledger::read::Reader;
use projections::query::When;
use schema::time::format_us;

use crate::app::App;
use crate::cli::text;
use crate::exit::Failure;
use crate::output;
use crate::when::Period;

/// When: now, unless a position or a time is named.
#[derive(Debug, Clone, Args)]
pub struct Moment {
    /// What the ledger knew at this time; of a period, at its end
    #[arg(long, value_name = "TIME", value_parser = text, conflicts_with = "at")]
    as_known: Option<String>,
    /// The same by position: what it knew after this one
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
}

impl Moment {
    /// The moment that was asked for.
    pub fn when(&self) -> Result<When, Failure> {
        Ok(match (&self.as_known, self.at) {
            (Some(text), _) => When::AsKnown(App::period("--as-known", text)?.last_us()),
            (None, Some(seq)) => When::At(seq),
            (None, None) => When::Now,
        })
    }
}

/// When, by what was known or by what was true.
#[derive(Debug, Clone, Args)]
pub struct Past {
    #[command(flatten)]
    known: Moment,
    /// What was true at this time by what is known now; of a period, at its end
    #[arg(long, value_name = "TIME", value_parser = text, conflicts_with_all = ["as_known", "at"])]
    as_of: Option<String>,
}

impl Past {
    /// The moment that was asked for.
    pub fn when(&self) -> Result<When, Failure> {
        match &self.as_of {
            Some(text) => Ok(When::AsOf(App::period("--as-of", text)?.last_us())),
            None => self.known.when(),
        }
    }
}

/// Recorded from when to when.
#[derive(Debug, Clone, Default, Args)]
pub struct Span {
    #[command(flatten)]
    since: Since,
    /// Recorded up to this time; of a period, up to its end
    #[arg(long, value_name = "TIME", value_parser = text)]
    until: Option<String>,
}

/// Recorded from when on.
#[derive(Debug, Clone, Default, Args)]
pub struct Since {
    /// Recorded from this time on
    #[arg(long, value_name = "TIME", value_parser = text)]
    since: Option<String>,
}

impl Since {
    /// The first position that is meant.
    pub async fn first(&self, reader: &Reader) -> Result<u64, Failure> {
        let Some(text) = &self.since else {
            return Ok(0);
        };
        let since = App::period("--since", text)?;
        let before = since.start_us.saturating_sub(1);
        Ok(reader.size_as_known(before).await?)
    }
}

impl Span {
    /// The first position that is meant, and the one after the last.
    pub async fn positions(&self, reader: &Reader) -> Result<(u64, u64), Failure> {
        let size = reader.head().await?.size;
        let after = match &self.until {
            None => size,
            Some(text) => {
                let until = App::period("--until", text)?;
                size.min(reader.size_as_known(until.last_us()).await?)
            }
        };
        Ok((self.since.first(reader).await?, after))
    }

    /// Fails where a time cannot be read, before any server is asked.
    pub fn check(&self) -> Result<(), Failure> {
        let since = self.since.since.as_deref();
        let since = since.map(|text| App::period("--since", text)).transpose()?;
        let until = self.until.as_deref();
        let until = until.map(|text| App::period("--until", text)).transpose()?;
        let (since_us, until_us) = (since.map(|one| one.start_us), until.map(Period::last_us));
        in_order("--since", since_us, "--until", until_us)
    }
}

/// Refuses a stretch of time that ends before it begins: nothing lies in it, and nobody means that.
pub fn in_order(
    begin: &str,
    from_us: Option<i64>,
    end: &str,
    to_us: Option<i64>,
) -> Result<(), Failure> {
    match (from_us, to_us) {
        (Some(from_us), Some(to_us)) if to_us < from_us => Err(Failure::usage(format!(
            "{begin} is {}, and {end} is before it: {}",
            format_us(from_us),
            format_us(to_us)
        ))
        .mend("change the two places")),
        _ => Ok(()),
    }
}

/// How many.
#[derive(Debug, Clone, Args)]
pub struct Limit {
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// All of them, however many
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl Limit {
    /// The most that are shown; `None` is all.
    pub fn most(&self) -> Option<u64> {
        (!self.all).then_some(self.limit)
    }

    /// Says on standard error that there are more, and how to get them.
    pub fn say(&self, more: bool, what: &str) {
        if more {
            output::say(&format!(
                "only the first {} {what} are shown; there are more: --limit N or --all shows them",
                self.limit
            ));
        }
    }
}

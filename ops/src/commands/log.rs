//! `ledger log` and `ledger tail`: the chain, position by position.

use std::time::Duration;

use clap::Args;
use ledger::Record;
use ledger::read::Reader;
use schema::KindName;

use super::catalog::kind_name;
use super::filter::Span;
use super::named::Named;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::item::Explained;
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger log --since yesterday
  ledger log --kind platform.environment --id production
  ledger log --since 2026-Q3 --until 2026-Q3 -o csv > quarter.csv
  ledger log --limit 20 --reverse                 the last twenty";

const TAIL_EXAMPLES: &str = "\
Examples:
  ledger tail                                     what comes from now on
  ledger tail --last 20                           the last twenty, then what comes
  ledger tail --type ledger.violation.raised -o ndjson";

const COLUMNS: &[Column] = &[
    ("seq", "seq"),
    ("recorded", "recorded_at"),
    ("publisher", "publisher"),
    ("type", "type"),
    ("subject", "subject"),
    ("actor", "actor"),
];

/// How many positions are read at a time.
const PAGE: u64 = 1000;
/// How often the end of the chain is looked at.
const POLL: Duration = Duration::from_millis(200);

/// What to show of the chain.
#[derive(Debug, Clone, Default, Args)]
struct Filter {
    /// Only events about entities of this kind
    #[arg(long, value_parser = kind_name, value_name = "KIND")]
    kind: Option<KindName>,
    /// Only events about the entity with this identifier
    #[arg(long, value_parser = text, value_name = "ID", visible_alias = "subject")]
    id: Option<String>,
    /// Only events of this type, <package>.<entity>.<verb>
    #[arg(long = "type", value_parser = text, value_name = "TYPE")]
    event_type: Option<String>,
    /// Only events of this publisher
    #[arg(long, value_parser = text, value_name = "NAME")]
    publisher: Option<String>,
    /// Only events of this actor
    #[arg(long, value_parser = text, value_name = "WHO")]
    actor: Option<String>,
}

impl Filter {
    fn takes(&self, record: &Record) -> bool {
        let header = &record.header;
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        self.kind.as_ref().is_none_or(|kind| {
            header
                .event_type
                .strip_prefix(&kind.to_string())
                .is_some_and(|rest| rest.starts_with('.'))
        }) && same(&self.id, &header.subject)
            && (self.event_type.as_deref()).is_none_or(|wanted| is_of(&header.event_type, wanted))
            && same(&self.publisher, &header.publisher)
            && same(&self.actor, &header.actor)
    }
}

/// Whether a type, as it was received, is the wanted one; a version counts where one was named.
fn is_of(found: &str, wanted: &str) -> bool {
    let version = found
        .strip_prefix(wanted)
        .map(|rest| rest.strip_prefix(".v"));
    match version {
        None => false,
        Some(None) => found == wanted,
        Some(Some(number)) => number.bytes().all(|digit| digit.is_ascii_digit()),
    }
}

/// Show what was recorded, in order
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Log {
    #[command(flatten)]
    filter: Filter,
    /// From this position on
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    from: u64,
    /// Up to this position, itself included
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    #[command(flatten)]
    span: Span,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// The newest first
    #[arg(long)]
    reverse: bool,
}

impl Log {
    /// Prints the positions that were asked for.
    pub async fn run(self, app: &App) -> Outcome {
        self.span.check()?;
        let reader = connect::reader(&app.config()?).await?;
        let (since, mut after) = self.span.positions(&reader).await?;
        let mut first = self.from.max(since);
        if let Some(to) = self.to {
            after = after.min(to.saturating_add(1));
        }
        let mut explained = Explained::default();
        let mut rows = app.rows(COLUMNS);
        let mut left = self.limit.unwrap_or(u64::MAX);
        while first < after && left > 0 {
            let (page, next) = if self.reverse {
                let start = after.saturating_sub(PAGE).max(first);
                (range(&reader, start, after).await?, start)
            } else {
                let page = reader.records(first, PAGE.min(after - first)).await?;
                let next = page.last().map_or(after, |record| record.header.seq + 1);
                (page, next)
            };
            let mut page: Vec<_> = page
                .into_iter()
                .filter(|record| self.filter.takes(record))
                .collect();
            if self.reverse {
                page.reverse();
                after = next;
            } else {
                first = next;
            }
            for record in page {
                if left == 0 {
                    break;
                }
                left -= 1;
                rows.row(&explained.item(&reader, &record).await?)?;
            }
        }
        if rows.finish()? == 0 {
            let named = Named {
                kind: self.filter.kind.as_ref(),
                event_type: self.filter.event_type.as_deref(),
                ..Named::default()
            };
            named.must_be_known(&reader).await?;
            output::say("there is no such position");
        }
        Ok(Exit::Done)
    }
}

/// All of a range: one read gives fewer where they are large.
async fn range(reader: &Reader, start: u64, after: u64) -> Result<Vec<Record>, Failure> {
    let mut all: Vec<Record> = Vec::new();
    let mut next = start;
    while next < after {
        let page = reader.records(next, after - next).await?;
        let Some(last) = page.last() else { break };
        next = last.header.seq + 1;
        all.extend(page);
    }
    Ok(all)
}

/// Show what is recorded as it comes, until interrupted
#[derive(Debug, Args)]
#[command(after_help = TAIL_EXAMPLES)]
pub struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Begin with the last so many positions
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 0,
        conflicts_with = "from"
    )]
    last: u64,
    /// Begin at this position
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
}

impl Tail {
    /// Prints what comes until interrupted, or until nobody reads it any more.
    pub async fn run(self, app: &App) -> Outcome {
        let reader = connect::reader(&app.config()?).await?;
        let size = reader.head().await?.size;
        let mut next = self.from.unwrap_or_else(|| size.saturating_sub(self.last));
        let mut rows = app.rows(COLUMNS).unbuffered();
        let mut explained = Explained::default();
        loop {
            let page = match reader.records(next, PAGE).await {
                // A server that restarts is waited for; what was shown is not shown again.
                Err(error) if error.is_unavailable() => Vec::new(),
                page => page?,
            };
            for record in &page {
                next = record.header.seq + 1;
                if self.filter.takes(record) {
                    rows.row(&explained.item(&reader, record).await?)?;
                }
            }
            if page.is_empty() {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

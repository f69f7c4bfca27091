//! `ledger quarantine`: what came and was not understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use ledger::Record;
use ledger::read::Reader;
use projections::query::{self, QuarantineRow, Refused};
use schema::Reason;
use serde_json::Value;

use super::filter::{Limit, Span};
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger quarantine                       everything that was refused, and why
  ledger quarantine --since 7d --reason data.invalid
  ledger quarantine 41 --body             the bytes of one message, as they came
  ledger quarantine --assert-none         exit 4 if there is any";

const COLUMNS: &[Column] = &[
    ("seq", "seq"),
    ("received", "received_at"),
    ("publisher", "publisher"),
    ("reason", "reason"),
    ("detail", "detail"),
];
const TYPE: &str = "ledger.event.quarantined";
const PAGE: u64 = 1000;

/// Show what came and was not understood, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Quarantine {
    /// One position
    seq: Option<u64>,
    /// Print the message's body as it came; nothing was kept of suspected secrets and of what is too large
    #[arg(long, requires = "seq")]
    body: bool,
    /// Only this reason, e.g. data.invalid
    #[arg(long, value_parser = reason, value_name = "REASON")]
    reason: Option<Reason>,
    /// Only this publisher
    #[arg(long, value_parser = text, value_name = "NAME")]
    publisher: Option<String>,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    limit: Limit,
    /// Read the chain itself, whatever the views say
    #[arg(long)]
    scan: bool,
    /// Exit 4 where there is any
    #[arg(long)]
    assert_none: bool,
}

fn reason(value: &str) -> Result<Reason, String> {
    Reason::parse(value).ok_or_else(|| {
        let all: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("the reasons are {}", all.join(", "))
    })
}

impl Quarantine {
    /// Prints what was refused.
    pub async fn run(self, app: &App) -> Outcome {
        self.span.check()?;
        let reader = connect::reader(&app.config()?).await?;
        let (mut next, mut after) = self.span.positions(&reader).await?;
        if let Some(seq) = self.seq {
            (next, after) = (next.max(seq), after.min(seq.saturating_add(1)));
            if self.body {
                return match reader.record(seq).await? {
                    Some(record) if record.header.event_type == TYPE => body(&record),
                    _ => Err(none(seq)),
                };
            }
        }
        let (found, more) = self.find(&reader, next, after).await?;
        if let (Some(seq), true) = (self.seq, found.is_empty()) {
            return Err(none(seq));
        }
        if found.is_empty() {
            output::say("nothing like that is in quarantine");
        }
        let mut rows = app.rows(COLUMNS);
        for row in &found {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(more, "messages");
        if self.assert_none && !found.is_empty() {
            output::say(&format!(
                "{}{} quarantined",
                if more { "more than " } else { "" },
                output::counted(found.len(), "message")
            ));
            return Ok(Exit::Violations);
        }
        Ok(Exit::Done)
    }

    /// What was refused within a range of positions: from the views as far as they are, the rest from the chain.
    async fn find(
        &self,
        reader: &Reader,
        first: u64,
        after: u64,
    ) -> Result<(Vec<QuarantineRow>, bool), Failure> {
        let most = self.limit.most();
        let limit = most.and_then(|most| usize::try_from(most).ok());
        let limit = limit.unwrap_or(usize::MAX);
        let (mut found, mut next) = (Vec::new(), first);
        if !self.scan {
            let folded = query::folded(reader).await?.min(after);
            let asked = Refused {
                reason: self.reason.map(Reason::as_str),
                publisher: self.publisher.as_deref(),
                from: first,
                to: Some(folded),
                limit: most,
            };
            let listed = query::refused(reader, &asked).await?;
            if listed.more {
                return Ok((listed.rows, true));
            }
            (found, next) = (listed.rows, first.max(folded));
        }
        while next < after {
            let page = reader.records(next, PAGE.min(after - next)).await?;
            let Some(last) = page.last() else { break };
            next = last.header.seq + 1;
            let refused = page.iter().filter(|one| one.header.event_type == TYPE);
            for row in refused.map(row).filter(|row| self.takes(row)) {
                if found.len() >= limit {
                    return Ok((found, true));
                }
                found.push(row);
            }
        }
        Ok((found, false))
    }

    fn takes(&self, row: &QuarantineRow) -> bool {
        self.reason
            .is_none_or(|reason| reason.as_str() == row.reason)
            && self
                .publisher
                .as_ref()
                .is_none_or(|publisher| *publisher == row.publisher)
    }
}

fn none(seq: u64) -> Failure {
    Failure::not_found(format!("position {seq} is not a quarantined message"))
        .mend("ledger quarantine lists those that are")
}

fn data(record: &Record) -> Value {
    let data = record
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice(&body.data).ok());
    data.unwrap_or(Value::Null)
}

fn body(record: &Record) -> Outcome {
    let data = data(record);
    let bytes = data
        .get("body")
        .and_then(Value::as_str)
        .and_then(|text| BASE64.decode(text).ok());
    let Some(bytes) = bytes else {
        return Err(Failure::not_found(format!(
            "nothing was kept of the message at position {}",
            record.header.seq
        )));
    };
    output::bytes(&bytes)?;
    Ok(Exit::Done)
}

/// A refused message as the views would have it.
fn row(record: &Record) -> QuarantineRow {
    let data = data(record);
    let word = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let (reason, at) = (word("reason"), word("at").unwrap_or_default());
    QuarantineRow {
        seq: record.header.seq,
        detail: query::refusal(reason.as_deref(), &at),
        reason: reason.unwrap_or_else(|| "redacted".to_owned()),
        at,
        publisher: record.header.publisher.clone(),
        received_at: schema::time::format_us(record.header.recorded_us),
        nats_subject: word("nats_subject"),
        size: data.get("size").and_then(Value::as_u64),
        stream_seq: record.header.stream_seq,
    }
}

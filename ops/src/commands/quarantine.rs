//! `ledger quarantine`: what came and was not understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use ledger::Record;
use schema::Reason;
use serde::Serialize;
use serde_json::Value;

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
    /// Received from this time on
    #[arg(long, value_parser = text, value_name = "TIME")]
    since: Option<String>,
    /// Received up to this time
    #[arg(long, value_parser = text, value_name = "TIME")]
    until: Option<String>,
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

#[derive(Debug, Serialize)]
struct Item {
    seq: u64,
    reason: String,
    detail: String,
    at: String,
    publisher: String,
    received_at: String,
    nats_subject: Option<String>,
    size: Option<u64>,
    stream_seq: u64,
}

impl Quarantine {
    /// Prints what was refused.
    pub async fn run(self, app: &App) -> Outcome {
        let since = self
            .since
            .as_deref()
            .map(|text| App::period("--since", text))
            .transpose()?;
        let until = self
            .until
            .as_deref()
            .map(|text| App::period("--until", text))
            .transpose()?;
        let reader = connect::reader(&app.config()?).await?;
        let (mut next, mut after) = match self.seq {
            Some(seq) => (seq, seq.saturating_add(1)),
            None => (0, reader.head().await?.size),
        };
        if let Some(since) = since {
            next = next.max(
                reader
                    .size_as_known(since.start_us.saturating_sub(1))
                    .await?,
            );
        }
        if let Some(until) = until {
            after = after.min(reader.size_as_known(until.last_us()).await?);
        }
        let mut rows = app.rows(COLUMNS);
        let mut found = 0_usize;
        while next < after {
            let page = reader.records(next, PAGE.min(after - next)).await?;
            let Some(last) = page.last() else { break };
            next = last.header.seq + 1;
            for record in page
                .iter()
                .filter(|record| record.header.event_type == TYPE)
            {
                if self.body {
                    return body(record);
                }
                let item = item(record);
                if self.takes(&item) {
                    found += 1;
                    rows.row(&item)?;
                }
            }
        }
        if let (Some(seq), 0) = (self.seq, found) {
            return Err(
                Failure::not_found(format!("position {seq} is not a quarantined message"))
                    .mend("ledger quarantine lists those that are"),
            );
        }
        rows.finish()?;
        if self.assert_none && found > 0 {
            output::say(&format!(
                "{} quarantined",
                output::counted(found, "message")
            ));
            return Ok(Exit::Violations);
        }
        Ok(Exit::Done)
    }

    fn takes(&self, item: &Item) -> bool {
        self.reason
            .is_none_or(|reason| reason.as_str() == item.reason)
            && self
                .publisher
                .as_ref()
                .is_none_or(|publisher| *publisher == item.publisher)
    }
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

fn item(record: &Record) -> Item {
    let data = data(record);
    let word = |name: &str| data.get(name).and_then(Value::as_str).map(str::to_owned);
    let reason = word("reason").unwrap_or_else(|| "redacted".to_owned());
    let at = word("at").unwrap_or_default();
    Item {
        seq: record.header.seq,
        detail: Reason::parse(&reason)
            .map(|reason| detail(reason, &at))
            .unwrap_or_default(),
        reason,
        at,
        publisher: record.header.publisher.clone(),
        received_at: schema::time::format_us(record.header.recorded_us),
        nats_subject: word("nats_subject"),
        size: data.get("size").and_then(Value::as_u64),
        stream_seq: record.header.stream_seq,
    }
}

/// What was wrong, in words. They are rendered when read, so that the chain holds none of ours.
fn detail(reason: Reason, at: &str) -> String {
    match reason {
        Reason::SecretSuspected => {
            "something in it looks like a secret; nothing of it was kept".into()
        }
        Reason::SizeExceeded => {
            "larger than 512 KiB in all, 256 KiB of data or 4 KiB of attributes".into()
        }
        Reason::EnvelopeMode => "no CloudEvent: neither structured nor binary mode".into(),
        Reason::JsonEncoding => {
            "not UTF-8, or a byte order mark, \\u0000 or half a surrogate pair".into()
        }
        Reason::JsonSyntax => "not JSON".into(),
        Reason::JsonDepth => "nested more than 64 deep".into(),
        Reason::JsonDuplicateKey => format!("a key is there twice, at {at}"),
        Reason::JsonNumber => format!("a number is too large, at {at}"),
        Reason::EnvelopeAttribute => {
            format!("the attribute {at} is missing, malformed, too long or there twice")
        }
        Reason::EnvelopeType => "type is not <package>.<entity>.<verb>".into(),
        Reason::SubjectMismatch => "type says something else than the NATS subject".into(),
        Reason::PublisherReserved => "it speaks for the ledger and came from somebody else".into(),
        Reason::SignatureInvalid => "its signature does not verify".into(),
        Reason::TypeUnknown => "the catalog did not know its type then".into(),
        Reason::DataInvalid if at.is_empty() => {
            "data as a whole does not fit the kind's fields".into()
        }
        Reason::DataInvalid => format!("data does not fit the kind's fields, at {at}"),
        Reason::IdConflict => {
            "an event with this publisher, source and id is there, with other content".into()
        }
    }
}

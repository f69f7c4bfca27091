//! Positions of the chain as they are printed.

use ledger::Record;
use ledger::redaction::{Coverage, Spot};
use serde::Serialize;
use serde_json::value::RawValue;

/// One position, with the keys that scripts may rely on.
#[derive(Debug, Serialize)]
pub struct Item {
    seq: u64,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    source: String,
    id: String,
    actor: String,
    publisher: String,
    occurred_at: String,
    recorded_at: String,
    stream: String,
    stream_seq: u64,
    context: Option<Box<RawValue>>,
    data: Option<Box<RawValue>>,
    redacted: Option<Redacted>,
}

/// Why there is no data, and by which event it is gone.
#[derive(Debug, Serialize)]
struct Redacted {
    by: Option<u64>,
    /// The retention class, or `redaction`.
    rule: Option<String>,
    at: Option<String>,
    /// Why, where somebody asked for it.
    reason: Option<String>,
}

impl Redacted {
    /// What the chain says of a position without data; nothing where no event took it.
    fn of(coverage: Option<&Coverage>, record: &Record) -> Self {
        let spot = Spot::from(&record.header);
        let applied = coverage.and_then(|coverage| coverage.by(&spot));
        let request = coverage.and_then(|coverage| coverage.request_of(applied?));
        Self {
            by: applied.map(|applied| applied.by),
            rule: applied.map(|applied| applied.class.clone()),
            at: applied.map(|applied| schema::time::format_us(applied.recorded_us)),
            reason: request.map(|request| request.reason.clone()),
        }
    }
}

impl Item {
    /// Shows a position. Data is given as it was received, but for white space between its lines.
    pub fn new(record: &Record, coverage: Option<&Coverage>) -> Self {
        let header = &record.header;
        let redacted = record
            .body
            .is_none()
            .then(|| Redacted::of(coverage, record));
        Self {
            seq: header.seq,
            event_type: header.event_type.clone(),
            subject: header.subject.clone(),
            source: header.source.clone(),
            id: header.id.clone(),
            actor: header.actor.clone(),
            publisher: header.publisher.clone(),
            occurred_at: schema::time::format_us(header.occurred_us),
            recorded_at: schema::time::format_us(header.recorded_us),
            stream: header.stream.clone(),
            stream_seq: header.stream_seq,
            context: raw(header.context.as_bytes()),
            data: record.body.as_ref().and_then(|body| raw(&body.data)),
            redacted,
        }
    }
}

/// JSON as it stands, on one line: raw line breaks are white space there, never content.
fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(bytes).ok()?.replace(['\n', '\r'], " ");
    RawValue::from_string(text).ok()
}

//! Positions of the chain as they are printed.

use ledger::Record;
use ledger::read::Reader;
use ledger::redaction::{Coverage, Spot};
use projections::query::Redaction;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::Failure;

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
    redacted: Option<Redaction>,
}

impl Item {
    /// Shows a position. Data is given as it was received, but for white space between its lines.
    fn new(record: &Record, coverage: &Coverage) -> Self {
        let header = &record.header;
        let gone = record.body.is_none();
        let redacted = gone.then(|| Redaction::of(coverage, record));
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

/// What the chain says about deleting, read as far as what is shown needs it.
#[derive(Debug, Default)]
pub struct Explained(Coverage);

impl Explained {
    /// Shows a position. Where its data is gone and what was read does not say why, more is read.
    pub async fn item(&mut self, reader: &Reader, record: &Record) -> Result<Item, Failure> {
        let spot = Spot::from(&record.header);
        if record.body.is_none() && self.0.by(&spot).is_none() {
            let db = reader.database();
            let client = db.client().await?;
            self.0.refresh(db, &client, reader.id()).await?;
        }
        Ok(Item::new(record, &self.0))
    }
}

/// JSON as it stands, on one line: raw line breaks are white space there, never content.
fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(bytes).ok()?.replace(['\n', '\r'], " ");
    RawValue::from_string(text).ok()
}

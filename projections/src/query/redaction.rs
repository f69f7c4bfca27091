//! Why data is not there any more, for whoever is told that it is not.

use std::collections::HashMap;

use ledger::Record;
use ledger::read::Reader;
use ledger::redaction::{Coverage, Spot};
use schema::time::format_us;
use serde::Serialize;

use crate::query::QueryError;

/// How many positions are read at a time.
const PAGE: usize = 1000;

/// By which event data is gone, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Redaction {
    /// The position of the `ledger.retention.applied` that took it; `null` where none did: `ledger verify` says more.
    pub by: Option<u64>,
    /// The retention class, or `redaction`.
    pub rule: Option<String>,
    /// When that was recorded.
    pub at: Option<String>,
    /// Why, where somebody asked for it.
    pub reason: Option<String>,
}

impl Redaction {
    /// What the chain says of a position whose data is gone.
    pub fn of(coverage: &Coverage, record: &Record) -> Self {
        let applied = coverage.by(&Spot::from(&record.header));
        let request = applied.and_then(|applied| coverage.request_of(applied));
        Self {
            by: applied.map(|applied| applied.by),
            rule: applied.map(|applied| applied.class.clone()),
            at: applied.map(|applied| format_us(applied.recorded_us)),
            reason: request.map(|request| request.reason.clone()),
        }
    }
}

/// What the chain says of positions whose data is gone.
pub(super) async fn explain(
    reader: &Reader,
    seqs: Vec<u64>,
) -> Result<HashMap<u64, Redaction>, QueryError> {
    let mut explained = HashMap::new();
    if seqs.is_empty() {
        return Ok(explained);
    }
    let coverage = Coverage::read_all(reader).await?;
    for seqs in seqs.chunks(PAGE) {
        for record in reader.records_at(seqs).await? {
            explained.insert(record.header.seq, Redaction::of(&coverage, &record));
        }
    }
    Ok(explained)
}

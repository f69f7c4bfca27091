//! The ledger's own messages that the door did not let in.
//!
//! The chain says so itself: such a message has its position as a quarantined one. Sending it again would only
//! fill the chain with refusals, so it waits, marked, until another catalog is activated, under which it may be
//! understood.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Record;
use ledger::db::Database;
use ledger::read::{ReadError, Reader};
use schema::LedgerName;
use serde_json::Value;

use crate::store::bigint;
use crate::verdict::Outgoing;

/// A message of the outbox that the door did not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The message's own identifier.
    pub id: String,
    /// The position of the refusal.
    pub seq: u64,
    /// Its reason.
    pub reason: String,
}

/// What lies in the outbox and is refused under the catalog of now, by position of its last refusal.
pub async fn refused(db: &Database, ledger: &LedgerName) -> Result<Vec<Refused>, ReadError> {
    let reader = Reader::open(db, ledger).await?;
    let waiting = super::waiting(&reader).await?;
    of(&reader, &waiting).await
}

/// Those of `waiting` that were refused.
pub(super) async fn of(reader: &Reader, waiting: &[Outgoing]) -> Result<Vec<Refused>, ReadError> {
    let mut found: Vec<Refused> = Vec::new();
    let mut from = 0;
    loop {
        let page = page(reader, from).await?;
        let Some((last, _)) = page.last() else {
            found.sort_by_key(|one| one.seq);
            return Ok(found);
        };
        from = last + 1;
        let seqs: Vec<u64> = page.iter().map(|(seq, _)| *seq).collect();
        let records = reader.records_at(&seqs).await?;
        for (record, (seq, reason)) in records.iter().zip(page) {
            // The `source` of a refusal is the ledger's own, which is also that of its messages.
            let Some(id) = id_of(record, &record.header.source) else {
                continue;
            };
            found.retain(|one| one.id != id);
            if waiting.iter().any(|message| message.id == id) {
                found.push(Refused { id, seq, reason });
            }
        }
    }
}

async fn page(reader: &Reader, from: u64) -> Result<Vec<(u64, String)>, ReadError> {
    let db = reader.database();
    let client = db.client().await?;
    let rows = async {
        let statement = client
            .prepare_cached(include_str!("../sql/refused.sql"))
            .await?;
        client
            .query(&statement, &[&reader.id(), &bigint(from)])
            .await
    };
    let rows = rows.await.map_err(db.error("reading what was refused"))?;
    let one = |row: &tokio_postgres::Row| {
        let seq = u64::try_from(row.get::<_, i64>(0)).unwrap_or(0);
        let reason: Option<String> = row.get(1);
        (seq, reason.unwrap_or_else(|| "redacted".to_owned()))
    };
    Ok(rows.iter().map(one).collect())
}

/// The identifier of the message that was refused, where it was one of the ledger's own and its bytes are there.
fn id_of(record: &Record, source: &str) -> Option<String> {
    let data: Value = serde_json::from_slice(&record.body.as_ref()?.data).ok()?;
    let body = STANDARD.decode(data.get("body")?.as_str()?).ok()?;
    let event: Value = serde_json::from_slice(&body).ok()?;
    let is_own = event.get("source").and_then(Value::as_str) == Some(source);
    let id = event.get("id")?.as_str()?;
    is_own.then(|| id.to_owned())
}

//! The ledger's own messages that the door did not let in.
//!
//! The chain says so itself: such a message has its position as a quarantined one. Sending it again would only
//! fill the chain with refusals, so it waits, marked, until another catalog is activated, under which it may be
//! understood.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ledger::Record;
use ledger::db::Database;
use ledger::read::{ReadError, Reader};
use schema::LedgerName;
use serde_json::Value;

use crate::store::bigint;

/// How many refusals are read at once; each has the message with it.
const AT_ONCE: usize = 100;

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
    Door::default().refused(&reader).await
}

/// What was read of the refusals already: a position says the same for ever.
#[derive(Debug, Default)]
pub(super) struct Door {
    ids: HashMap<u64, Option<String>>,
}

impl Door {
    /// What lies in the outbox and is refused, by position of its last refusal.
    pub async fn refused(&mut self, reader: &Reader) -> Result<Vec<Refused>, ReadError> {
        let mut found = HashMap::new();
        let mut from = 0;
        loop {
            let page = page(reader, from).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            from = last + 1;
            self.read(reader, &page).await?;
            for (seq, reason) in page {
                if let Some(Some(id)) = self.ids.get(&seq) {
                    let id = id.clone();
                    found.insert(id.clone(), Refused { id, seq, reason });
                }
            }
        }
        let ids: Vec<&str> = found.keys().map(String::as_str).collect();
        let lying = lying(reader, &ids).await?;
        found.retain(|id, _| lying.contains(id));
        let mut found: Vec<Refused> = found.into_values().collect();
        found.sort_by_key(|one| one.seq);
        Ok(found)
    }

    /// Reads whose messages were refused, where that is not known yet.
    async fn read(&mut self, reader: &Reader, page: &[(u64, String)]) -> Result<(), ReadError> {
        let new = page.iter().map(|(seq, _)| *seq);
        let new: Vec<u64> = new.filter(|seq| !self.ids.contains_key(seq)).collect();
        for part in new.chunks(AT_ONCE) {
            for record in reader.records_at(part).await? {
                // The `source` of a refusal is the ledger's own, which is also that of its messages.
                let id = id_of(&record, &record.header.source);
                self.ids.insert(record.header.seq, id);
            }
        }
        Ok(())
    }
}

/// Which of these lie in the outbox.
async fn lying(reader: &Reader, ids: &[&str]) -> Result<HashSet<String>, ReadError> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let db = reader.database();
    let client = db.client().await?;
    let rows = async {
        let statement = client
            .prepare_cached(include_str!("../sql/outbox_of.sql"))
            .await?;
        client.query(&statement, &[&reader.id(), &ids]).await
    };
    let rows = rows.await.map_err(db.error("reading the outbox"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
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

//! Which positions' data may be gone, by which event of the chain.

use std::sync::Arc;

use serde::Deserialize;

use tokio_postgres::Client;

use crate::db::{Database, DbError};
use crate::record::Header;

/// The positions that the `ledger.retention.applied` events of a chain cover.
///
/// A hold that was placed between scheduling and applying keeps its positions' data; that such data is
/// still there is no contradiction, so holds are not looked at here.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// `(from, to, by)`, in the chain's order. Shared: it is copied for every batch that asks.
    ranges: Arc<Vec<(u64, u64, u64)>>,
}

#[derive(Deserialize)]
struct Applied {
    ranges: Vec<(u64, u64)>,
}

impl Coverage {
    /// Reads what the chain says.
    pub async fn load(db: &Database, client: &Client, ledger: i32) -> Result<Self, DbError> {
        let failed = db.error("reading what retention deleted");
        let rows = client
            .query(include_str!("sql/retention_applied.sql"), &[&ledger])
            .await
            .map_err(&failed)?;
        let mut coverage = Self::default();
        for row in rows {
            let by = row.get::<_, i64>(0);
            if let Some(data) = row.get::<_, Option<&[u8]>>(1) {
                coverage.add(u64::try_from(by).unwrap_or_default(), data);
            }
        }
        Ok(coverage)
    }

    /// The event that covers a position, if there is one. An event covers only what stands before it.
    pub fn by(&self, seq: u64) -> Option<u64> {
        self.range(seq).map(|(_, _, by)| by)
    }

    /// The positions `from..=to` around one that are covered together, and by which event.
    pub(crate) fn range(&self, seq: u64) -> Option<(u64, u64, u64)> {
        let covers = |(from, to, by): &&(u64, u64, u64)| (*from..=*to).contains(&seq) && seq < *by;
        self.ranges.iter().find(covers).copied()
    }

    /// Takes in an event, if it is one that covers anything.
    pub fn read(&mut self, header: &Header, data: &[u8]) {
        let applied = matches!(
            header.event_type.as_str(),
            "ledger.retention.applied" | "ledger.retention.applied.v1"
        );
        if applied && header.publisher == "ledger" {
            self.add(header.seq, data);
        }
    }

    fn add(&mut self, by: u64, data: &[u8]) {
        // What does not parse covers nothing; it could not have passed the kind's fields.
        let Ok(applied) = serde_json::from_slice::<Applied>(data) else {
            return;
        };
        let ranges = Arc::make_mut(&mut self.ranges);
        for (from, to) in applied.ranges {
            if i64::try_from(to).is_ok() && from <= to {
                ranges.push((from, to, by));
            }
        }
    }
}

//! The views in PostgreSQL: what a batch needs is loaded in two statements, what it changed is written in a
//! few, all in the caller's transaction.

mod load;
mod write;

pub(crate) use load::{before, entity};
pub(crate) use write::{changes, forget};

use ledger::db::{Database, DbError};
use tokio_postgres::Row;

use crate::fold::Checkpoint;

/// A position or a count as PostgreSQL keeps it. Positions count from 0 and never reach 2⁶³.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way. CHECK constraints keep what is negative out.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Who projects, and how far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) epoch: i64,
    pub(crate) engine: i32,
    pub(crate) checkpoint: Checkpoint,
}

impl Place {
    pub(crate) fn from_row(row: &Row) -> Self {
        let chain: Option<&[u8]> = row.get("chain");
        Self {
            epoch: row.get("epoch"),
            engine: row.get("engine"),
            checkpoint: Checkpoint {
                next: count(row.get("next_seq")),
                // A CHECK constraint keeps other lengths out.
                chain: chain.and_then(|chain| chain.try_into().ok()),
                recorded_us: row.get("recorded_us"),
            },
        }
    }

    /// Where a ledger stands; `None` where nobody has projected it.
    pub(crate) async fn read(db: &Database, ledger: i32) -> Result<Option<Self>, DbError> {
        let client = db.client().await?;
        let row = client
            .query_opt(include_str!("sql/checkpoint.sql"), &[&ledger])
            .await
            .map_err(db.error("reading how far the ledger is folded"))?;
        Ok(row.as_ref().map(Self::from_row))
    }
}

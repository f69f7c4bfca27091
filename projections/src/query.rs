//! Answers from the views, now or at any earlier position of the chain.

mod list;
mod past;
mod rows;
mod words;

use std::time::Duration;

use ledger::db::{Database, DbError};
use ledger::read::{ReadError, Reader};
use schema::LedgerName;

use crate::entity::{Entity, Key};
use crate::project::ProjectError;
use crate::store::{self, Place, State, bigint};

pub use list::{history, quarantine, violations};
pub use rows::{HistoryRow, QuarantineRow, StateRow, ViolationRow, ViolationStatus};

/// How long to wait for the fold to reach a position that is in the chain.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// When.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As far as the views are.
    Now,
    /// After this position.
    At(u64),
    /// What the ledger knew at this time, in µs: after the last position with `recorded_us` up to it.
    AsKnown(i64),
}

/// Which entities. `id` without `kind` is that identifier in every kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Which<'a> {
    /// Of this kind alone.
    pub kind: Option<&'a str>,
    /// With this identifier alone.
    pub id: Option<&'a str>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The chain is not that long.
    #[error("position {asked} is not in the chain yet: its last position is {last}")]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// The chain's last position.
        last: u64,
    },
    /// The views are behind.
    #[error(
        "the views end before position {folded}, and {asked} positions are asked for: is the role `project` running?"
    )]
    Behind {
        /// How many positions are asked for.
        asked: u64,
        /// How many are folded.
        folded: u64,
    },
    /// The chain or the views cannot be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The ledger does not exist, or its database did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl QueryError {
    /// True where the server was away.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Project(error) => error.is_unavailable(),
            Self::Read(error) => error.is_unavailable(),
            Self::Database(error) => error.is_unavailable(),
            Self::Beyond { .. } | Self::Behind { .. } => false,
        }
    }
}

/// The state of entities, in the order of kind and identifier.
///
/// In the past: an entity whose last event is within what is asked for is as it is now; of any other the own
/// events are read from the chain and folded again, each by the catalog of its position.
pub async fn state(
    db: &Database,
    ledger: &LedgerName,
    which: Which<'_>,
    when: When,
) -> Result<Vec<StateRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = size(&reader, when).await?;
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("sql/state.sql"),
            &[&reader.id(), &which.kind, &which.id, &bigint(size)],
        )
        .await
        .map_err(db.error("reading states"))?;
    drop(client);
    let mut found: Vec<(Key, Entity)> = rows.iter().map(store::entity).collect();
    past::rewind(&reader, &mut found, size).await?;
    Ok(found
        .into_iter()
        .map(|(key, entity)| StateRow::new(key, entity))
        .collect())
}

/// How many positions are meant.
async fn size(reader: &Reader, when: When) -> Result<u64, QueryError> {
    let asked = match when {
        // Positions never reach 2⁶³: everything that is there.
        When::Now => return Ok(u64::MAX),
        When::At(seq) => {
            let size = reader.head().await?.size;
            if seq >= size {
                return Err(QueryError::Beyond {
                    asked: seq,
                    last: size.saturating_sub(1),
                });
            }
            seq + 1
        }
        When::AsKnown(us) => reader.size_as_known(us).await?,
    };
    let patience = tokio::time::Instant::now() + PATIENCE;
    loop {
        let place = Place::read(reader.database(), reader.id(), State::Live).await?;
        let folded = place.map_or(0, |place| place.checkpoint.next);
        if folded >= asked {
            return Ok(asked);
        }
        if tokio::time::Instant::now() > patience {
            return Err(QueryError::Behind { asked, folded });
        }
        tokio::time::sleep(POLL).await;
    }
}

//! Answers from the views, now or at any earlier position of the chain.

mod incidents;
mod law;
mod links;
mod list;
mod past;
mod redaction;
mod rollback;
mod rows;
mod state;
mod words;

use std::time::Duration;

use ledger::db::{Database, DbError};
use ledger::read::{ReadError, Reader};
use schema::LedgerName;

use crate::project::ProjectError;
use crate::store::{Place, State};

pub use crate::verdict::{FROM_MISMATCH, ILLEGAL, UNEXPECTED};
pub use incidents::{IncidentRow, Incidents, incidents, open_incidents};
pub use links::{Dangling, Named, NamedBy, dangling, named_by, names};
pub use list::{
    Refused, Violations, histories, history, quarantine, refused, violated, violations,
};
pub use redaction::Redaction;
pub use rollback::{BasedOn, Rollback, rollback};
pub use rows::{HistoryRow, QuarantineRow, StateRow, ViolationRow, ViolationStatus};
pub use state::{States, states};
pub use words::refusal;

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
    /// What was true at this time, in µs, by what is known now: an entity's events that happened up to it, in the order
    /// of (`occurred_us`, `seq`). Verdicts and refused messages are those of now.
    AsOf(i64),
}

/// A list, or its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// As many as were asked for.
    pub rows: Vec<T>,
    /// Whether there are more.
    pub more: bool,
}

impl<T> Listed<T> {
    /// From one row more than was asked for.
    fn cut(mut rows: Vec<T>, limit: Option<u64>) -> Self {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let more = limit.is_some_and(|limit| rows.len() > limit);
        rows.truncate(limit.unwrap_or(usize::MAX));
        Self { rows, more }
    }
}

/// How many rows to read so that one knows whether there are more.
fn one_more(limit: Option<u64>) -> i64 {
    crate::store::bigint(limit.map_or(u64::MAX, |limit| limit.saturating_add(1)))
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

/// The state of entities, all of them, in the order of kind and identifier.
pub async fn state(
    db: &Database,
    ledger: &LedgerName,
    which: Which<'_>,
    when: When,
) -> Result<Vec<StateRow>, QueryError> {
    let asked = States {
        which,
        ..States::default()
    };
    Ok(states(db, ledger, &asked, when).await?.rows)
}

/// How far the views are folded.
pub async fn folded(reader: &Reader) -> Result<u64, QueryError> {
    let place = Place::read(reader.database(), reader.id(), State::Live).await?;
    Ok(place.map_or(0, |place| place.checkpoint.next))
}

/// How many positions are meant.
async fn size(reader: &Reader, when: When) -> Result<u64, QueryError> {
    let asked = match when {
        // Positions never reach 2⁶³: everything that is there.
        When::Now | When::AsOf(_) => return Ok(u64::MAX),
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
        let folded = folded(reader).await?;
        if folded >= asked {
            return Ok(asked);
        }
        if tokio::time::Instant::now() > patience {
            return Err(QueryError::Behind { asked, folded });
        }
        tokio::time::sleep(POLL).await;
    }
}

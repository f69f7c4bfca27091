//! Why a head is not signed.

use crate::checkpoint::CheckpointError;
use crate::db::DbError;
use crate::proof::ProofError;
use crate::read::ReadError;
use crate::report::What;
use crate::tile::TileError;

/// Why a ledger is not sealed. All but an unavailable database are reasons to stop.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// A head was let out that is larger than what is stored.
    #[error(
        "a head of size {released} was let out, and the database holds {stored} positions: it was rolled \
         back, and nothing is signed until `ledger serve` has read the rest of the stream again; where that is gone, \
         `ledger recover --from BUNDLE` fills the database from an export"
    )]
    RolledBack {
        /// The size that was let out.
        released: u64,
        /// The size that is stored.
        stored: u64,
    },
    /// A head was let out whose root is not the one of the stored positions.
    #[error(
        "the head of size {size} that was let out has the root {released}, and the stored positions give \
         {stored}: the database holds another history, and nothing is signed"
    )]
    Forked {
        /// The size of the head.
        size: u64,
        /// Its root in hex.
        released: String,
        /// The root that the database gives, in hex.
        stored: String,
    },
    /// A stored position does not hash to what is stored beside it.
    #[error("position {seq} was altered ({what}): {detail}; nothing is signed")]
    Altered {
        /// The position.
        seq: u64,
        /// What does not hold.
        what: What,
        /// In words.
        detail: String,
    },
    /// A position is missing.
    #[error("position {seq} is missing; nothing is signed")]
    Gap {
        /// The position.
        seq: u64,
    },
    /// Whether the standby has what would be signed cannot be seen.
    #[error(
        "synchronous_standby_names is set, and the user {user} may not see what the standby has; nothing is signed: \
         GRANT pg_read_all_stats TO {user}"
    )]
    Blind {
        /// The user that the ledger has in PostgreSQL.
        user: String,
    },
    /// The signed head that the database says it has is not there.
    #[error("the signed head of size {size} is missing from ledger.checkpoint; nothing is signed")]
    Missing {
        /// Its size.
        size: u64,
    },
    /// The head of another ledger was given.
    #[error(
        "a head of {theirs} was let out where those of {ours} go: is this the right database, file and stream?"
    )]
    OtherOrigin {
        /// The ledger's origin.
        ours: String,
        /// The head's.
        theirs: String,
    },
    /// Another process seals this ledger now.
    #[error("another process has taken over sealing (our epoch was {ours}); this one stops")]
    Fenced {
        /// The epoch that this sealer had.
        ours: i64,
    },
    /// A head that was let out cannot be read or believed, or the new one not be signed.
    #[error("a signed head is not believed")]
    Head(#[from] CheckpointError),
    /// The stored tiles do not make a tree.
    #[error("the stored tiles do not make a tree")]
    Tile(#[from] TileError),
    /// The new tree does not begin with the old one.
    #[error("the new head is not consistent with the last one")]
    Proof(#[from] ProofError),
    /// The ledger could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl SealError {
    /// True where the server was away: a new sealer may succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Database(error) => error.is_unavailable(),
            Self::Read(error) => error.is_unavailable(),
            _ => false,
        }
    }
}

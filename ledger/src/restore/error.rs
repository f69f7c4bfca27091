//! Why a database is not filled from a bundle.

use crate::bundle::BundleError;
use crate::checkpoint::CheckpointError;
use crate::db::DbError;

/// Why a bundle was refused, or filling broke off. It can be run again.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The bundle cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle does not verify.
    #[error(
        "the bundle does not verify ({count} problems; the first is {first}); `ledger verify --bundle` lists them, \
         nothing was written"
    )]
    Unproved {
        /// How many problems there are.
        count: u64,
        /// The first of them.
        first: String,
    },
    /// The bundle is of another ledger.
    #[error("the bundle is of {theirs:?}, and this ledger is {ours:?}; nothing was written")]
    OtherOrigin {
        /// This ledger's origin.
        ours: String,
        /// The bundle's.
        theirs: String,
    },
    /// The bundle is a part.
    #[error(
        "the bundle has the positions {from} to {to} of a log of {size}; only an export of everything \
         (`ledger export --all`) fills a database"
    )]
    Part {
        /// Its first position.
        from: u64,
        /// Its last position.
        to: u64,
        /// The size of its signed head.
        size: u64,
    },
    /// The bundle withholds data that the ledger had.
    #[error(
        "the bundle withholds the data of {count} events; a database that is filled from it would lack them without \
         a reason: use an export of everything (`ledger export --all`)"
    )]
    Withheld {
        /// How many.
        count: u64,
    },
    /// The database holds something else.
    #[error(
        "the {size} positions in the database are not the first {size} of the bundle: one of them is another \
         history; nothing was written (`ledger verify` judges the database)"
    )]
    Fork {
        /// How many positions the database has.
        size: u64,
    },
    /// A head was let out that the bundle contradicts.
    #[error(
        "a head of size {size} was let out that is not of this bundle's events: one of them is another history; \
         nothing was written"
    )]
    OtherHistory {
        /// The size of that head.
        size: u64,
    },
    /// The files changed between two readings.
    #[error(
        "the bundle was changed while it was read; put it where nobody writes and run this again"
    )]
    Changed,
    /// A head that was let out is not to be believed.
    #[error("a signed head is not believed: is the key the right one?")]
    Head(#[from] CheckpointError),
    /// Somebody else appends.
    #[error(
        "another process appends to this ledger; stop `ledger serve` everywhere, then run this again: it goes on \
         where it was"
    )]
    Fenced,
    /// A thread ended unexpectedly.
    #[error("reading the bundle broke off")]
    Thread(#[source] tokio::task::JoinError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DbError),
}

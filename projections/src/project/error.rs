//! Why a projector stops.

use ledger::db::DbError;
use ledger::read::ReadError;
use schema::{LedgerName, Name};

use crate::fact::Unreadable;
use crate::fold::FoldError;

/// Why a projector stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Another one took over.
    #[error("ledger {ledger} is projected by somebody else: our epoch was {ours}, it is {theirs}")]
    Fenced {
        /// The ledger.
        ledger: LedgerName,
        /// The epoch that was ours.
        ours: i64,
        /// The epoch now.
        theirs: i64,
    },
    /// A rebuild has put other views in the place of those that were folded.
    #[error("the views of ledger {ledger} were rebuilt: take them over anew")]
    Switched {
        /// The ledger.
        ledger: LedgerName,
    },
    /// Data was deleted and its values taken out of the views since this batch was begun: it is thrown away, and folded
    /// again from what is left.
    #[error(
        "data was deleted while the views of ledger {ledger} were folded: they are folded on from what is left"
    )]
    Redacted {
        /// The ledger.
        ledger: LedgerName,
    },
    /// The program ends.
    #[error("the program ends in the middle of a batch")]
    Ending,
    /// Somebody else rebuilds.
    #[error("somebody else is rebuilding the views of ledger {ledger}: wait for them")]
    Rebuilding {
        /// The ledger.
        ledger: LedgerName,
    },
    /// There are no living views that a package's rows could go into.
    #[error(
        "ledger {ledger} has no views yet that one package could be rebuilt in: rebuild them whole"
    )]
    NothingLives {
        /// The ledger.
        ledger: LedgerName,
    },
    /// The active catalog has no kind of the package.
    #[error("the active catalog of ledger {ledger} has no package {package}")]
    NoPackage {
        /// The ledger.
        ledger: LedgerName,
        /// The package.
        package: Name,
    },
    /// The views are not of this chain: the database was restored from two times, say.
    #[error(
        "the views of ledger {ledger} were folded up to position {next} of another chain: run `ledger rebuild`"
    )]
    OtherChain {
        /// The ledger.
        ledger: LedgerName,
        /// The next position by the views.
        next: u64,
    },
    /// The views are of another engine.
    #[error(
        "the views of ledger {ledger} were folded by engine {theirs}, this program has {ours}: run `ledger rebuild`"
    )]
    OtherEngine {
        /// The ledger.
        ledger: LedgerName,
        /// This program's.
        ours: i32,
        /// The views'.
        theirs: i32,
    },
    /// An activated catalog does not compile here.
    #[error("the catalog that position {seq} activates cannot be judged by this program: {why}")]
    Catalog {
        /// The activation's position.
        seq: u64,
        /// What is wrong, and the mend.
        why: String,
    },
    /// The chain cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The fold refused to go on.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The ledger does not exist, or its database did not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl ProjectError {
    /// True where the server was away: the same may succeed later.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Read(error) => error.is_unavailable(),
            Self::Database(error) => error.is_unavailable(),
            _ => false,
        }
    }
}

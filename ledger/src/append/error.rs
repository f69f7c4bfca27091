//! What stops an append, divided by what the caller does about it.

use schema::LedgerName;

use super::draft::Unexplained;
use crate::db::DbError;
use crate::keyring::KeyringError;

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another process appends to this ledger now: stop.
    #[error(
        "another process has taken over appending (epoch {theirs}, ours was {ours}); this one stops"
    )]
    Fenced {
        /// The epoch that this writer had.
        ours: i64,
        /// The epoch of the writer that took over.
        theirs: i64,
    },
    /// The server is away. The same batch may be given again; whether it was committed is found out then.
    #[error("the database is not available; the append is tried again")]
    Unavailable(#[source] DbError),
    /// PostgreSQL does not take one message; what stood before it is committed. Stop: the message has a fault that
    /// reading it did not find, and the program must learn to.
    #[error(
        "PostgreSQL does not take message {stream_seq} of the stream (position {seq}); this is a fault of \
         the program: report it with the message"
    )]
    Refused {
        /// The position that it would have had.
        seq: u64,
        /// Its number in its stream.
        stream_seq: u64,
        /// What PostgreSQL said.
        source: DbError,
    },
    /// The messages are not those behind the head: begin again there.
    #[error("message {arrived} does not follow: the head expects {expected} or later")]
    OutOfOrder {
        /// The first number that would do.
        expected: u64,
        /// The number that came.
        arrived: u64,
    },
    /// The messages are of a stream that the chain knows nothing of: stop.
    #[error(
        "the chain ends at message {last} of {ours:?} and the messages are of {arrived:?}, which does not \
         begin with a ledger.stream.continued that names both; `ledger recover` makes such a stream"
    )]
    OtherStream {
        /// The head's stream.
        ours: String,
        /// The head's number in it.
        last: u64,
        /// The stream that the messages are of.
        arrived: String,
    },
    /// What is stored contradicts itself: stop.
    #[error("the database contradicts itself: {0}; run `ledger verify`")]
    Corrupt(String),
    /// The ledger does not exist.
    #[error("there is no ledger {ledger} in {server}; `ledger init` makes one")]
    NoLedger {
        /// The name that was looked for.
        ledger: LedgerName,
        /// Where.
        server: String,
    },
    /// A salt key cannot be had: stop.
    #[error("a salt key cannot be had")]
    Keys(#[from] KeyringError),
    /// The database refuses for another reason, such as a missing privilege: stop.
    #[error("the database refuses to append")]
    Database(#[source] DbError),
}

impl From<DbError> for AppendError {
    fn from(error: DbError) -> Self {
        if error.is_unavailable() {
            Self::Unavailable(error)
        } else {
            Self::Database(error)
        }
    }
}

impl From<Unexplained> for AppendError {
    fn from(error: Unexplained) -> Self {
        Self::Corrupt(error.to_string())
    }
}

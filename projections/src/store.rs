//! The views in PostgreSQL: what a batch needs is loaded in two statements, what it changed is written in a
//! few, all in the caller's transaction.

mod copy;
mod deadlines;
mod incidents;
mod load;
mod order;
mod place;
mod redact;
mod reindex;
mod write;

pub(crate) use load::{entity, load};
pub(crate) use place::{Place, State};
pub(crate) use redact::{Gone, redact};
pub(crate) use write::{changes, messages};

/// A position or a count as PostgreSQL keeps it. Positions count from 0 and never reach 2⁶³.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way. CHECK constraints keep what is negative out.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

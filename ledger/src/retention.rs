//! Deleting data whose time is over: what there is to delete, and deleting it.
//!
//! `ledger.retention.scheduled` announces it, `ledger.retention.applied` says that it is done, and then it is done: in
//! this order, each step a function of the chain and of what is still there, so that it can be taken again after any
//! crash. See `docs/decisions/0007-retention.md`.

mod plan;
mod stand;

use bytes::Bytes;
use deadpool_postgres::Transaction;
use schema::retention::Retentions;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::db::{Database, DbError};
use crate::head::bigint;
use crate::read::Reader;
use crate::redaction::{Applied, REDACTION, Spot};

pub use plan::{Entry, Stage, by_class, due, plan, remaining};
pub use stand::{activated, sealed};

/// A position that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The position.
    pub seq: u64,
    /// Its type, as received.
    pub event_type: String,
    /// The entity that it is about.
    pub subject: String,
    /// When it was recorded, in µs.
    pub recorded_us: i64,
    /// The stream's identity and the message's number.
    pub message: (String, u64),
    /// Whether its data is there.
    pub there: bool,
}

impl Found {
    fn from_row(row: &Row) -> Self {
        let count = |name| u64::try_from(row.get::<_, i64>(name)).unwrap_or_default();
        Self {
            seq: count("seq"),
            event_type: row.get("event_type"),
            subject: row.get("subject"),
            recorded_us: row.get("recorded_us"),
            message: (row.get("stream"), count("stream_seq")),
            there: row.get("there"),
        }
    }

    /// As far as it matters whether its data may be deleted.
    pub fn spot(&self) -> Spot<'_> {
        Spot::new(self.seq, &self.event_type, &self.subject, self.recorded_us)
    }
}

/// The positions of events of these kinds from one up to another, whose data is there.
pub(crate) async fn of_kinds(
    reader: &Reader,
    kinds: &[String],
    from: u64,
    to: u64,
) -> Result<Vec<Found>, DbError> {
    let db = reader.database();
    let parameters: [&(dyn ToSql + Sync); 4] = [&reader.id(), &bigint(from), &bigint(to), &kinds];
    let rows = db
        .client()
        .await?
        .query(include_str!("sql/spots_of_kinds.sql"), &parameters)
        .await
        .map_err(db.error("looking for what is due"))?;
    Ok(rows.iter().map(Found::from_row).collect())
}

/// The first positions of these ranges from one on, at most so many.
pub async fn in_ranges(
    reader: &Reader,
    ranges: &[(u64, u64)],
    from: u64,
    most: u64,
) -> Result<Vec<Found>, DbError> {
    let db = reader.database();
    let near = ranges.iter().filter(|range| range.1 >= from);
    // No more ranges than can be asked for: each has a position at least.
    let near = near.take(usize::try_from(most).unwrap_or(usize::MAX));
    let (first, last): (Vec<i64>, Vec<i64>) = near
        .map(|(first, last)| (bigint(*first), bigint(*last)))
        .unzip();
    let parameters: [&(dyn ToSql + Sync); 5] =
        [&reader.id(), &first, &last, &bigint(from), &bigint(most)];
    let rows = db
        .client()
        .await?
        .query(include_str!("sql/spots_in_ranges.sql"), &parameters)
        .await
        .map_err(db.error("looking at what is to be deleted"))?;
    Ok(rows.iter().map(Found::from_row).collect())
}

/// Whether what a kind keeps at least lets an event take the data of a position. What people ask for is not bound by
/// it.
pub fn allows(retentions: &Retentions, applied: &Applied, spot: &Spot<'_>) -> bool {
    applied.class == REDACTION || is_over(retentions, spot, applied.recorded_us)
}

/// Whether a position's data was kept as long as its kind demands, at a time in µs.
pub fn is_over(retentions: &Retentions, spot: &Spot<'_>, now_us: i64) -> bool {
    let kind = spot.kind.parse().ok();
    let kept = kind.and_then(|kind| retentions.kind(&kind));
    // What no catalog knows is kept.
    let least = kept.and_then(|kept| kept.least.us());
    least.is_some_and(|least| spot.recorded_us.saturating_add(least) <= now_us)
}

/// Deletes the data of these positions in the caller's transaction, as far as the event at `applied` covers them and
/// no hold keeps them, and gives what was deleted.
///
/// `epoch` is the ledger's: somebody who has taken the ledger over since stops this.
pub async fn delete(
    db: &Database,
    tx: &Transaction<'_>,
    ledger: i32,
    (applied, epoch): (u64, u64),
    seqs: &[u64],
) -> Result<Vec<(u64, Bytes)>, DbError> {
    let seqs: Vec<i64> = seqs.iter().copied().map(bigint).collect();
    let parameters: [&(dyn ToSql + Sync); 4] = [&ledger, &bigint(applied), &bigint(epoch), &seqs];
    let rows = tx
        .query(include_str!("sql/delete_data.sql"), &parameters)
        .await
        .map_err(db.error("deleting data"))?;
    let deleted = rows.iter().map(|row| {
        let seq = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        (seq, Bytes::copy_from_slice(row.get::<_, &[u8]>(1)))
    });
    Ok(deleted.collect())
}

/// The events whose positions' data is deleted, and whether their messages are.
pub async fn deletions(reader: &Reader) -> Result<Vec<(u64, bool)>, DbError> {
    let db = reader.database();
    let rows = db
        .client()
        .await?
        .query(include_str!("sql/deletions.sql"), &[&reader.id()])
        .await
        .map_err(db.error("reading what was deleted"))?;
    let row = |row: &Row| {
        let seq = u64::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        (seq, row.get(1))
    };
    Ok(rows.iter().map(row).collect())
}

/// Notes that the data of an event's positions is deleted, and whether their messages are.
pub async fn note(reader: &Reader, applied: u64, scrubbed: bool) -> Result<(), DbError> {
    let db = reader.database();
    db.client()
        .await?
        .execute(
            include_str!("sql/note_deletion.sql"),
            &[&reader.id(), &bigint(applied), &scrubbed],
        )
        .await
        .map_err(db.error("noting what was deleted"))?;
    Ok(())
}

//! Which positions' data may be gone, by which event of the chain, and which must not.
//!
//! `ledger.retention.applied` names positions; a hold that was placed before it and not yet released takes those that
//! it covers out again. All of it is in the chain, so that everybody comes to the same answer.

mod hold;
mod ranges;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use tokio_postgres::Client;

use crate::db::{Database, DbError};
use crate::head::bigint;
use crate::read::Reader;
use crate::record::Header;

pub use hold::{Hold, Holds, Scope};
pub use ranges::{count, has, joined, without};

/// The class of an event that takes data out before its time, because somebody asked for it.
pub const REDACTION: &str = "redaction";

/// One position, as far as it matters whether its data may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot<'a> {
    /// The position.
    pub seq: u64,
    /// The kind of its event, `<package>.<entity>`.
    pub kind: &'a str,
    /// The entity that it is about.
    pub id: &'a str,
    /// When it was recorded, in µs.
    pub recorded_us: i64,
}

impl<'a> Spot<'a> {
    /// That of a type as it was received.
    pub fn new(seq: u64, event_type: &'a str, id: &'a str, recorded_us: i64) -> Self {
        Self {
            seq,
            kind: kind_of(event_type),
            id,
            recorded_us,
        }
    }

    /// Whether its data is never deleted: it says what was deleted and why, what judges, or what was found.
    pub fn is_permanent(&self) -> bool {
        let own = self.kind.strip_prefix("ledger.");
        own.is_some_and(|entity| PERMANENT.contains(&entity))
    }
}

impl<'a> From<&'a Header> for Spot<'a> {
    fn from(header: &'a Header) -> Self {
        Self::new(
            header.seq,
            &header.event_type,
            &header.subject,
            header.recorded_us,
        )
    }
}

/// Entities of package `ledger` whose events' data is never deleted. `ledger.is_permanent` in the database says the
/// same.
const PERMANENT: [&str; 9] = [
    "catalog",
    "chain",
    "hold",
    "incident",
    "key",
    "redaction",
    "retention",
    "stream",
    "violation",
];

/// `<package>.<entity>` of `<package>.<entity>.<verb>`.
pub(crate) fn kind_of(event_type: &str) -> &str {
    let mut dots = event_type.match_indices('.').map(|(at, _)| at);
    let end = dots.nth(1).unwrap_or(event_type.len());
    event_type.get(..end).unwrap_or(event_type)
}

/// What is to be deleted by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its position.
    pub by: u64,
    /// When it was recorded, in µs.
    pub recorded_us: i64,
    /// The retention class, or [`REDACTION`].
    pub class: String,
    /// First and last of each range of positions, rising and apart from each other, all before `by`.
    pub ranges: Vec<(u64, u64)>,
    /// The position of the schedule or of the request.
    pub scheduled_by: Option<u64>,
}

/// What is announced to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The position of the event that says so.
    pub seq: u64,
    /// The retention class.
    pub class: String,
    /// First and last of each range of positions, rising and apart from each other, all before `seq`.
    pub ranges: Vec<(u64, u64)>,
    /// When at the earliest, in µs.
    pub not_before_us: i64,
}

/// Somebody's request to delete data before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its position.
    pub seq: u64,
    /// The positions, rising, each once, all before `seq`.
    pub seqs: Vec<u64>,
    /// Why.
    pub reason: String,
    /// Who asked; empty where nobody was named.
    pub actor: String,
    /// Who published it.
    pub publisher: String,
    /// Who agreed.
    pub approved_by: Option<String>,
}

impl Request {
    /// Whether two people stand behind it.
    pub fn is_agreed(&self) -> bool {
        let other = |name: &String| !self.actor.is_empty() && *name != self.actor;
        self.approved_by.as_ref().is_some_and(other)
    }
}

/// What the chain says of the data at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// Nothing takes it.
    Kept,
    /// This event takes it.
    Covered(&'a Applied),
    /// This event names it, and this hold forbids that.
    Held(&'a Applied, &'a Hold),
}

/// What the events of a chain say about deleting.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Shared: it is copied for every batch that asks.
    inner: Arc<Inner>,
}

#[derive(Debug, Clone, Default)]
struct Inner {
    applied: Vec<Applied>,
    /// From, to and the event's place in `applied`, by from.
    ranges: Vec<(u64, u64, usize)>,
    /// The last position that any range up to this one reaches.
    reach: Vec<u64>,
    requests: BTreeMap<u64, Request>,
    scheduled: BTreeMap<u64, Scheduled>,
    holds: Holds,
    /// The position after the last one that was read.
    next: u64,
}

#[derive(Deserialize)]
struct AppliedData {
    class: String,
    ranges: Vec<(u64, u64)>,
    scheduled_by: Option<u64>,
}

#[derive(Deserialize)]
struct ScheduledData {
    class: String,
    ranges: Vec<(u64, u64)>,
    not_before_us: i64,
}

#[derive(Deserialize)]
struct RequestData {
    seqs: Vec<u64>,
    reason: String,
    approved_by: Option<String>,
}

impl Coverage {
    /// Reads what the chain says.
    pub async fn load(db: &Database, client: &Client, ledger: i32) -> Result<Self, DbError> {
        let mut coverage = Self::default();
        coverage.refresh(db, client, ledger).await?;
        Ok(coverage)
    }

    /// The same of the ledger that a reader reads.
    pub async fn read_all(reader: &Reader) -> Result<Self, DbError> {
        let db = reader.database();
        let client = db.client().await?;
        Self::load(db, &client, reader.id()).await
    }

    /// Reads what the chain says since.
    pub async fn refresh(
        &mut self,
        db: &Database,
        client: &Client,
        ledger: i32,
    ) -> Result<(), DbError> {
        let rows = client
            .query(
                include_str!("sql/coverage.sql"),
                &[&ledger, &bigint(self.inner.next)],
            )
            .await
            .map_err(db.error("reading what retention deleted"))?;
        for row in rows {
            let header = Header {
                seq: u64::try_from(row.get::<_, i64>("seq")).unwrap_or_default(),
                recorded_us: row.get("recorded_us"),
                event_type: row.get("event_type"),
                subject: row.get("subject"),
                actor: row.get("actor"),
                publisher: row.get("publisher"),
                ..Header::default()
            };
            if let Some(data) = row.get::<_, Option<&[u8]>>("data") {
                self.read(&header, data);
            }
            Arc::make_mut(&mut self.inner).next = header.seq + 1;
        }
        Ok(())
    }

    /// What the chain says of the data at a position.
    pub fn of(&self, spot: &Spot<'_>) -> Word<'_> {
        if spot.is_permanent() {
            return Word::Kept;
        }
        let mut forbidden = None;
        let mut naming: Vec<&Applied> = self.naming(spot.seq).collect();
        naming.sort_unstable_by_key(|applied| applied.by);
        for applied in naming {
            match self.inner.holds.at(spot, applied.by) {
                None => return Word::Covered(applied),
                Some(hold) => forbidden = forbidden.or(Some(Word::Held(applied, hold))),
            }
        }
        forbidden.unwrap_or(Word::Kept)
    }

    /// The event that takes the data at a position.
    pub fn by(&self, spot: &Spot<'_>) -> Option<&Applied> {
        match self.of(spot) {
            Word::Covered(applied) => Some(applied),
            Word::Kept | Word::Held(..) => None,
        }
    }

    /// Why: what was asked, where somebody asked for it.
    pub fn request_of(&self, applied: &Applied) -> Option<&Request> {
        let at = applied.scheduled_by?;
        self.inner.requests.get(&at)
    }

    /// The events that name a position, whatever holds say.
    fn naming(&self, seq: u64) -> impl Iterator<Item = &Applied> {
        let inner = &*self.inner;
        let end = inner.ranges.partition_point(|range| range.0 <= seq);
        let before = inner.ranges.iter().zip(&inner.reach).take(end).rev();
        let near = before.take_while(move |(_, reach)| **reach >= seq);
        let here = near.filter(move |((_, to, _), _)| *to >= seq);
        here.filter_map(|((_, _, place), _)| inner.applied.get(*place))
    }

    /// Whether any event names any position from this one up to another.
    pub fn touches(&self, from: u64, to: u64) -> bool {
        let inner = &*self.inner;
        let end = inner.ranges.partition_point(|range| range.0 <= to);
        let reach = end.checked_sub(1).and_then(|last| inner.reach.get(last));
        reach.is_some_and(|reach| *reach >= from)
    }

    /// The events that delete, in the chain's order.
    pub fn applied(&self) -> &[Applied] {
        &self.inner.applied
    }

    /// What is announced, in the chain's order.
    pub fn scheduled(&self) -> impl Iterator<Item = &Scheduled> {
        self.inner.scheduled.values()
    }

    /// The announcement at a position.
    pub fn schedule(&self, seq: u64) -> Option<&Scheduled> {
        self.inner.scheduled.get(&seq)
    }

    /// The request at a position.
    pub fn request(&self, seq: u64) -> Option<&Request> {
        self.inner.requests.get(&seq)
    }

    /// The position after the last event that was read.
    pub fn next(&self) -> u64 {
        self.inner.next
    }

    /// The requests, in the chain's order.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.inner.requests.values()
    }

    /// The holds.
    pub fn holds(&self) -> &Holds {
        &self.inner.holds
    }

    /// Whether an event is one that says something about deleting.
    pub fn is_about(header: &Header) -> bool {
        let kind = kind_of(&header.event_type);
        matches!(
            kind,
            "ledger.retention" | "ledger.redaction" | "ledger.hold" | "ledger.incident"
        )
    }

    /// Takes in an event, if it is one that says anything. They come in the chain's order.
    pub fn read(&mut self, header: &Header, data: &[u8]) {
        if !Self::is_about(header) {
            return;
        }
        let inner = Arc::make_mut(&mut self.inner);
        let plain = header.event_type.strip_suffix(".v1");
        match plain.unwrap_or(&header.event_type) {
            "ledger.retention.applied" if header.publisher == "ledger" => inner.apply(header, data),
            "ledger.retention.scheduled" if header.publisher == "ledger" => {
                inner.schedule(header, data);
            }
            "ledger.redaction.requested" => inner.request(header, data),
            other => inner.holds.read(other, header, data),
        }
    }
}

/// The positions of ranges that stand before an event.
fn before(header: &Header, ranges: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let Some(last) = header.seq.checked_sub(1) else {
        return Vec::new();
    };
    joined(ranges.iter().map(|(from, to)| (*from, (*to).min(last))))
}

impl Inner {
    // What does not parse says nothing; it could not have passed the kind's fields.
    fn apply(&mut self, header: &Header, data: &[u8]) {
        let Ok(data) = serde_json::from_slice::<AppliedData>(data) else {
            return;
        };
        let ranges = before(header, &data.ranges);
        let place = self.applied.len();
        for (from, to) in &ranges {
            let at = self.ranges.partition_point(|range| range.0 <= *from);
            self.ranges.insert(at, (*from, *to, place));
            self.reach.insert(at, *to);
        }
        let mut reach = 0;
        for (range, so_far) in self.ranges.iter().zip(&mut self.reach) {
            reach = reach.max(range.1);
            *so_far = reach;
        }
        self.applied.push(Applied {
            by: header.seq,
            recorded_us: header.recorded_us,
            class: data.class,
            ranges,
            scheduled_by: data.scheduled_by,
        });
    }

    fn schedule(&mut self, header: &Header, data: &[u8]) {
        let Ok(data) = serde_json::from_slice::<ScheduledData>(data) else {
            return;
        };
        let scheduled = Scheduled {
            seq: header.seq,
            class: data.class,
            ranges: before(header, &data.ranges),
            not_before_us: data.not_before_us,
        };
        self.scheduled.insert(header.seq, scheduled);
    }

    fn request(&mut self, header: &Header, data: &[u8]) {
        let Ok(data) = serde_json::from_slice::<RequestData>(data) else {
            return;
        };
        let mut seqs = data.seqs;
        seqs.retain(|seq| *seq < header.seq);
        seqs.sort_unstable();
        seqs.dedup();
        let request = Request {
            seq: header.seq,
            seqs,
            reason: data.reason,
            actor: header.actor.clone(),
            publisher: header.publisher.clone(),
            approved_by: data.approved_by,
        };
        self.requests.insert(header.seq, request);
    }
}

#[cfg(test)]
mod tests;

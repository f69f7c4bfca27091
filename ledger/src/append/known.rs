//! Which identities are taken, and by what.

use std::collections::HashMap;

use bytes::Bytes;
use tokio_postgres::Row;
use uuid::Uuid;

use super::draft::{Claim, Unexplained};
use crate::db::{Client, Database, DbError};
use crate::record::Header;
use crate::redaction::{Coverage, Spot, kind_of};

/// The kind of the events that say what is deleted.
const RETENTION: &str = "ledger.retention";

/// What the chain holds under the identities that were looked up.
#[derive(Debug, Default)]
pub(super) struct Known {
    stored: HashMap<Uuid, Stored>,
    coverage: Coverage,
}

/// The event that has an identity.
#[derive(Debug)]
struct Stored {
    header: Header,
    /// `None` where it was deleted.
    data: Option<Bytes>,
}

/// How a claim compares with what is known.
pub(super) enum Likeness {
    /// Nobody has the identity.
    New,
    /// It is the same again.
    Same {
        /// The position that has the identity.
        of: u64,
    },
    /// The identity is another event's.
    Other,
}

impl Known {
    /// Looks the claims up in the chain.
    pub async fn look_up(
        db: &Database,
        client: &Client,
        ledger: i32,
        claims: &[&Claim],
    ) -> Result<Self, DbError> {
        let failed = db.error("looking up identities");
        let keys: Vec<Uuid> = claims.iter().map(|claim| claim.key).collect();
        let statement = client
            .prepare_cached(include_str!("../sql/known.sql"))
            .await
            .map_err(&failed)?;
        let rows = client
            .query(&statement, &[&ledger, &keys])
            .await
            .map_err(&failed)?;
        let mut known = Self::default();
        for row in rows {
            known.stored.insert(row.get("key"), stored(db, &row)?);
        }
        let in_doubt = |claim: &&Claim| {
            known.stored.get(&claim.key).is_some_and(|stored| {
                same_header(&stored.header, claim)
                    && stored.data.as_ref() != Some(&claim.content.data)
            })
        };
        // Rare: only data tells them apart. Whether it still counts is the chain's word, not the table's,
        // because data is deleted some time after the event that says so. One of this batch may say so as well.
        let deletes = |claim: &&Claim| kind_of(&claim.content.header.event_type) == RETENTION;
        if claims.iter().any(in_doubt) || claims.iter().any(deletes) {
            known.coverage = Coverage::load(db, client, ledger).await?;
        }
        Ok(known)
    }

    /// How many of the identities are taken.
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Begins to walk a batch in order.
    pub fn begin(&self) -> Seen<'_> {
        Seen {
            known: self,
            coverage: self.coverage.clone(),
            batch: HashMap::new(),
        }
    }
}

/// What is known at one point of a batch: the chain, and the batch's claims so far.
pub(super) struct Seen<'a> {
    known: &'a Known,
    coverage: Coverage,
    batch: HashMap<Uuid, &'a Claim>,
}

impl<'a> Seen<'a> {
    /// Compares a claim with what has its identity.
    pub fn compare(&self, claim: &Claim) -> Result<Likeness, Unexplained> {
        let (header, data) = match self.known.stored.get(&claim.key) {
            Some(stored) => (&stored.header, stored.data.as_ref()),
            None => match self.batch.get(&claim.key) {
                Some(first) => (&first.content.header, Some(&first.content.data)),
                None => return Ok(Likeness::New),
            },
        };
        if !same_header(header, claim) {
            return Ok(Likeness::Other);
        }
        let of = header.seq;
        if data == Some(&claim.content.data) || self.coverage.by(&Spot::from(header)).is_some() {
            return Ok(Likeness::Same { of });
        }
        match data {
            Some(_) => Ok(Likeness::Other),
            None => Err(Unexplained { seq: of }),
        }
    }

    /// Notes that a claim has its identity from here on.
    pub fn add(&mut self, claim: &'a Claim) {
        self.coverage
            .read(&claim.content.header, &claim.content.data);
        self.batch.insert(claim.key, claim);
    }
}

/// Whether the claim is the stored event again, data apart. A claim without a time is equal to an event whose
/// time is that of its recording.
fn same_header(stored: &Header, claim: &Claim) -> bool {
    let claimed = &claim.content.header;
    let occurred_us = if claim.timeless {
        stored.recorded_us
    } else {
        claimed.occurred_us
    };
    stored.occurred_us == occurred_us
        && stored.publisher == claimed.publisher
        && stored.source == claimed.source
        && stored.id == claimed.id
        && stored.event_type == claimed.event_type
        && stored.subject == claimed.subject
        && stored.actor == claimed.actor
        && stored.context == claimed.context
}

fn stored(db: &Database, row: &Row) -> Result<Stored, DbError> {
    let seq = u64::try_from(row.get::<_, i64>("seq"));
    let header = Header {
        seq: seq.map_err(|_| db.form("looking up identities", "a position is negative"))?,
        occurred_us: row.get("occurred_us"),
        recorded_us: row.get("recorded_us"),
        source: row.get("source"),
        id: row.get("id"),
        event_type: row.get("event_type"),
        subject: row.get("subject"),
        actor: row.get("actor"),
        publisher: row.get("publisher"),
        context: row.get("context"),
        ..Header::default()
    };
    let data = row
        .get::<_, Option<&[u8]>>("data")
        .map(Bytes::copy_from_slice);
    Ok(Stored { header, data })
}

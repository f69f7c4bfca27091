//! Stored rows at the speed of COPY.
//!
//! A row is read into the same place again and again: a million of them cost no allocation.

use std::pin::Pin;

use bytes::{Buf as _, Bytes};
use futures_util::TryStreamExt as _;
use tokio_postgres::{Client, CopyOutStream};

use crate::db::{Database, DbError};
use crate::digest::Hash;
use crate::head::bigint;
use crate::record::Header;

/// One position as it is stored.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub header: Header,
    pub data_commitment: Hash,
    pub event_hash: Hash,
    pub chain: Hash,
    pub salt: Option<Hash>,
    pub data: Option<Bytes>,
}

/// The rows of a range of positions, in order.
pub(crate) struct Scan {
    stream: Pin<Box<CopyOutStream>>,
    begun: bool,
}

const STEP: &str = "reading events by COPY";
/// `PGCOPY\n\377\r\n\0`, flags, and the length of an extension that there never is.
const PREAMBLE: usize = 11 + 4 + 4;
const COLUMNS: i16 = 17;

impl Scan {
    /// Begins to read the positions `from..to`, a look-up of data for each.
    pub async fn begin(
        db: &Database,
        client: &Client,
        ledger: i32,
        from: u64,
        to: u64,
    ) -> Result<Self, DbError> {
        let select = include_str!("sql/records.sql");
        Self::copy(
            db,
            client,
            select,
            [i64::from(ledger), bigint(from), bigint(to)],
        )
        .await
    }

    /// The same by merging headers and data, which is faster for many, on a connection that was given to
    /// [`prefer_merging`].
    pub async fn begin_merging(
        db: &Database,
        client: &Client,
        ledger: i32,
        from: u64,
        to: u64,
    ) -> Result<Self, DbError> {
        let select = include_str!("sql/scan.sql");
        Self::copy(
            db,
            client,
            select,
            [i64::from(ledger), bigint(from), bigint(to)],
        )
        .await
    }

    async fn copy(
        db: &Database,
        client: &Client,
        select: &str,
        parameters: [i64; 3],
    ) -> Result<Self, DbError> {
        // COPY takes no parameters; these are numbers.
        let mut select = select.to_owned();
        for (name, value) in ["$1", "$2", "$3"].into_iter().zip(parameters) {
            select = select.replace(name, &value.to_string());
        }
        let copy = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        let stream = client.copy_out(&copy).await.map_err(db.error(STEP))?;
        Ok(Self {
            stream: Box::pin(stream),
            begun: false,
        })
    }

    /// Reads the next row into `row`; false at the end.
    pub async fn next(&mut self, db: &Database, row: &mut Row) -> Result<bool, DbError> {
        loop {
            let message = self.stream.try_next().await.map_err(db.error(STEP))?;
            let Some(mut bytes) = message else {
                return Ok(false);
            };
            // PostgreSQL sends a row a message, the first one behind the preamble.
            if !self.begun {
                self.begun = true;
                if bytes.len() < PREAMBLE {
                    return Err(db.form(STEP, "the preamble is cut"));
                }
                bytes.advance(PREAMBLE);
            }
            if bytes.is_empty() {
                continue;
            }
            return match read_row(bytes, row) {
                Some(more) => Ok(more),
                None => Err(db.form(STEP, "a row is cut or has other columns")),
            };
        }
    }
}

/// Sets a connection up for [`Scan::begin_merging`], and for nothing that joins otherwise.
pub(crate) async fn prefer_merging(db: &Database, client: &Client) -> Result<(), DbError> {
    let set = client.batch_execute("SET enable_nestloop = off").await;
    set.map_err(db.error("preparing to read"))
}

/// `Some(false)` for the end of the rows, `None` for what has another form.
fn read_row(mut bytes: Bytes, row: &mut Row) -> Option<bool> {
    let columns = bytes.try_get_i16().ok()?;
    if columns == -1 {
        return Some(false);
    }
    if columns != COLUMNS {
        return None;
    }
    let header = &mut row.header;
    header.seq = u64::try_from(number(&mut bytes)?).ok()?;
    header.occurred_us = number(&mut bytes)?;
    header.recorded_us = number(&mut bytes)?;
    header.stream_seq = u64::try_from(number(&mut bytes)?).ok()?;
    row.data_commitment = hash(&mut bytes)?;
    row.event_hash = hash(&mut bytes)?;
    row.chain = hash(&mut bytes)?;
    for text in [
        &mut header.source,
        &mut header.id,
        &mut header.event_type,
        &mut header.subject,
        &mut header.actor,
        &mut header.publisher,
        &mut header.context,
        &mut header.stream,
    ] {
        read_text(&mut bytes, text)?;
    }
    row.salt = optional(&mut bytes)?.map(|salt| to_hash(&salt));
    row.data = optional(&mut bytes)?;
    Some(true)
}

/// A column's bytes; the inner `None` is SQL's NULL.
#[expect(
    clippy::option_option,
    reason = "a malformed row and a NULL are different things"
)]
fn optional(bytes: &mut Bytes) -> Option<Option<Bytes>> {
    let length = bytes.try_get_i32().ok()?;
    if length == -1 {
        return Some(None);
    }
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= bytes.len())?;
    Some(Some(bytes.split_to(length)))
}

fn number(bytes: &mut Bytes) -> Option<i64> {
    (bytes.try_get_i32().ok()? == 8).then(|| bytes.try_get_i64().ok())?
}

fn hash(bytes: &mut Bytes) -> Option<Hash> {
    optional(bytes)?.map(|bytes| to_hash(&bytes))
}

/// What is no hash, because somebody has changed the table, becomes one that nothing hashes to.
fn to_hash(bytes: &Bytes) -> Hash {
    bytes.as_ref().try_into().unwrap_or_default()
}

fn read_text(bytes: &mut Bytes, into: &mut String) -> Option<()> {
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    into.clear();
    into.push_str(str::from_utf8(bytes.get(..length)?).ok()?);
    bytes.advance(length);
    Some(())
}

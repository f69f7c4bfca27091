//! Stored rows at the speed of COPY.
//!
//! Headers and data come over a connection each and are put together here. A join in PostgreSQL does the same
//! for about twice its work: it looks a row up for each, or sorts, or keeps one side. What comes is not copied
//! out of the buffer that it came in, so a million rows cost no allocation of their own.

use std::pin::Pin;

use bytes::{Buf as _, Bytes};
use futures_util::TryStreamExt as _;
use futures_util::future::try_join;
use tokio_postgres::{Client, CopyOutStream};

use crate::db::{Database, DbError};
use crate::digest::{Hash, Stored};
use crate::head::bigint;

/// Two connections for one reader: one for headers, one for data.
#[derive(Debug)]
pub(crate) struct Lanes {
    /// For headers, and between scans for whatever else there is to ask.
    pub headers: Client,
    data: Client,
}

/// The rows are wanted in the order of an index, and lie in it. Left to itself the planner fetches them otherwise,
/// and sorts them on disk, as soon as the table's statistics are old.
const BY_INDEX: &str = "SET enable_sort = off; SET enable_bitmapscan = off; SET enable_seqscan = off; \
                        SET max_parallel_workers_per_gather = 0";

impl Lanes {
    /// Connects, for the caller's own runtime.
    pub async fn connect(db: &Database) -> Result<Self, DbError> {
        let lane = async || {
            let client = db.connect_alone().await?;
            let set = client.batch_execute(BY_INDEX).await;
            set.map_err(db.error("preparing to read"))?;
            Ok(client)
        };
        let (headers, data) = try_join(lane(), lane()).await?;
        Ok(Self { headers, data })
    }
}

/// One position as it is stored.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub seq: u64,
    pub occurred_us: i64,
    pub recorded_us: i64,
    pub stream_seq: u64,
    pub data_commitment: Hash,
    pub event_hash: Hash,
    pub chain: Hash,
    /// Binary COPY writes a text as its length in four bytes and its bytes: side by side that is what is hashed.
    texts: Bytes,
    /// Where the texts that are looked at lie in `texts`.
    event_type: Span,
    subject: Span,
    publisher: Span,
    stream: Span,
    pub salt: Option<Hash>,
    pub data: Option<Bytes>,
}

/// From where to where.
type Span = (usize, usize);

impl Row {
    /// What is hashed of the header, the commitment apart.
    pub fn header(&self) -> Stored<'_> {
        Stored {
            seq: self.seq,
            occurred_us: self.occurred_us,
            recorded_us: self.recorded_us,
            texts: &self.texts,
            stream_seq: self.stream_seq,
        }
    }

    /// The `type`, as received.
    pub fn event_type(&self) -> &str {
        self.text(self.event_type)
    }

    /// The entity's identifier.
    pub fn subject(&self) -> &str {
        self.text(self.subject)
    }

    /// Who published.
    pub fn publisher(&self) -> &str {
        self.text(self.publisher)
    }

    /// The stream's identity.
    pub fn stream(&self) -> &str {
        self.text(self.stream)
    }

    /// PostgreSQL sends UTF-8. What is something else is hashed as it is, and looks empty here.
    fn text(&self, (from, to): Span) -> &str {
        let bytes = self.texts.get(from..to).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

/// The rows of a range of positions, in order.
pub(crate) struct Scan {
    headers: Rows,
    data: Rows,
    /// Read already, and of this position or a later one.
    ahead: Option<Content>,
}

/// Salt and data of one position.
struct Content {
    seq: u64,
    salt: Option<Hash>,
    data: Option<Bytes>,
}

impl Scan {
    /// Begins to read the positions `from..to`.
    pub async fn begin(
        db: &Database,
        lanes: &Lanes,
        ledger: i32,
        from: u64,
        to: u64,
    ) -> Result<Self, DbError> {
        let range = [i64::from(ledger), bigint(from), bigint(to)];
        let (headers, data) = try_join(
            Rows::begin(
                db,
                &lanes.headers,
                include_str!("sql/scan_headers.sql"),
                range,
            ),
            Rows::begin(db, &lanes.data, include_str!("sql/scan_data.sql"), range),
        )
        .await?;
        let mut scan = Self {
            headers,
            data,
            ahead: None,
        };
        scan.step(db).await?;
        Ok(scan)
    }

    /// Reads the next row into `row`; false at the end.
    pub async fn next(&mut self, db: &Database, row: &mut Row) -> Result<bool, DbError> {
        let Some(columns) = self.headers.next(db, HEADER_COLUMNS).await? else {
            return Ok(false);
        };
        read_header(columns, row).ok_or_else(|| malformed(db))?;
        // Data without a header belongs to no position.
        while self.ahead.as_ref().is_some_and(|data| data.seq < row.seq) {
            self.step(db).await?;
        }
        (row.salt, row.data) = (None, None);
        if let Some(data) = self.ahead.take_if(|data| data.seq == row.seq) {
            (row.salt, row.data) = (data.salt, data.data);
            self.step(db).await?;
        }
        Ok(true)
    }

    /// Reads the next data.
    async fn step(&mut self, db: &Database) -> Result<(), DbError> {
        self.ahead = match self.data.next(db, DATA_COLUMNS).await? {
            Some(columns) => Some(read_data(columns).ok_or_else(|| malformed(db))?),
            None => None,
        };
        Ok(())
    }
}

const STEP: &str = "reading events by COPY";
/// `PGCOPY\n\377\r\n\0`, flags, and the length of an extension that there never is.
const PREAMBLE: usize = 11 + 4 + 4;
const HEADER_COLUMNS: i16 = 15;
const DATA_COLUMNS: i16 = 3;

fn malformed(db: &Database) -> DbError {
    db.form(STEP, "a row is cut or has other columns")
}

/// The rows of one statement.
struct Rows {
    stream: Pin<Box<CopyOutStream>>,
    begun: bool,
}

impl Rows {
    async fn begin(
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

    /// The columns of the next row; `None` at the end.
    async fn next(&mut self, db: &Database, columns: i16) -> Result<Option<Bytes>, DbError> {
        loop {
            let message = self.stream.try_next().await;
            // Not `map_err(db.error(…))`: that is made for every row, wanted or not.
            let message = message.map_err(|error| db.error(STEP)(error))?;
            let Some(mut bytes) = message else {
                return Ok(None);
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
            return match bytes.try_get_i16() {
                Ok(-1) => Ok(None),
                Ok(found) if found == columns => Ok(Some(bytes)),
                _ => Err(malformed(db)),
            };
        }
    }
}

/// `None` for what has another form.
fn read_header(mut bytes: Bytes, row: &mut Row) -> Option<()> {
    row.seq = u64::try_from(number(&mut bytes)?).ok()?;
    row.occurred_us = number(&mut bytes)?;
    row.recorded_us = number(&mut bytes)?;
    row.stream_seq = u64::try_from(number(&mut bytes)?).ok()?;
    row.data_commitment = hash(&mut bytes)?;
    row.event_hash = hash(&mut bytes)?;
    row.chain = hash(&mut bytes)?;
    let mut at = 0;
    let mut text = || {
        let length: [u8; 4] = bytes.get(at..)?.first_chunk().copied()?;
        let from = at + length.len();
        at = from.checked_add(usize::try_from(i32::from_be_bytes(length)).ok()?)?;
        Some((from, at))
    };
    let [
        _source,
        _id,
        event_type,
        subject,
        _actor,
        publisher,
        _context,
        stream,
    ] = [
        text()?,
        text()?,
        text()?,
        text()?,
        text()?,
        text()?,
        text()?,
        text()?,
    ];
    (row.event_type, row.subject) = (event_type, subject);
    (row.publisher, row.stream) = (publisher, stream);
    if at != bytes.len() {
        return None;
    }
    row.texts = bytes;
    Some(())
}

fn read_data(mut bytes: Bytes) -> Option<Content> {
    let seq = u64::try_from(number(&mut bytes)?).ok()?;
    let salt = optional(&mut bytes)?.map(|salt| to_hash(&salt));
    let data = optional(&mut bytes)?;
    Some(Content { seq, salt, data })
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

/// What is no hash, because somebody has changed the table, becomes one that nothing hashes to.
fn hash(bytes: &mut Bytes) -> Option<Hash> {
    let length = usize::try_from(bytes.try_get_i32().ok()?).ok()?;
    let hash = to_hash(bytes.get(..length)?);
    bytes.advance(length);
    Some(hash)
}

fn to_hash(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or_default()
}

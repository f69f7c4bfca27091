//! Reading the chain back. Nothing that is read here was recomputed: that is `crate::verify`.

use std::collections::BTreeMap;

use bytes::Bytes;
use deadpool_postgres::GenericClient;
use futures_util::TryStreamExt as _;
use schema::LedgerName;
use serde::Deserialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::db::{Database, DbError};
use crate::digest::Hash;
use crate::head::{Head, bigint};
use crate::record::{Body, Header, Record};

/// How many bytes of data one call reads at most, give or take one event.
const MOST_BYTES: usize = 16 << 20;
/// From how many positions on the planner would sort them.
const MANY: u64 = 500;
/// The data of how many positions is asked for at a time.
const PART: usize = 500;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The ledger does not exist.
    #[error("there is no ledger {ledger} in {server}; `ledger init` makes one")]
    NoLedger {
        /// The name that was looked for.
        ledger: LedgerName,
        /// Where.
        server: String,
    },
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
}

impl ReadError {
    /// True where the server was away: the same may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_unavailable())
    }
}

/// Reads one ledger. Cloning it shares the pool.
#[derive(Debug, Clone)]
pub struct Reader {
    db: Database,
    ledger: LedgerName,
    id: i32,
}

/// The catalog that judges what follows a position, as the chain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveCatalog {
    /// The position of its `ledger.catalog.activated`.
    pub seq: u64,
    /// That event's data.
    pub activation: Bytes,
    /// The text of each package that it names, by digest.
    pub texts: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Activated {
    packages: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Recorded {
    digest: String,
    text: String,
}

impl Reader {
    /// Finds the ledger.
    pub async fn open(db: &Database, ledger: &LedgerName) -> Result<Self, ReadError> {
        let id = require_head(db, ledger).await?.id;
        Ok(Self {
            db: db.clone(),
            ledger: ledger.clone(),
            id,
        })
    }

    /// The ledger's number in this database.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The database that is read.
    pub fn database(&self) -> &Database {
        &self.db
    }

    /// Where the ledger stands now.
    pub async fn head(&self) -> Result<Head, ReadError> {
        require_head(&self.db, &self.ledger).await
    }

    /// The positions from `from` on, in order: at most `limit`, and fewer where they are large. None means that
    /// the chain ends before `from`.
    pub async fn records(&self, from: u64, limit: u64) -> Result<Vec<Record>, ReadError> {
        let mut client = self.db.client().await?;
        if limit < MANY {
            return Ok(self.scan(&client, from, limit).await?);
        }
        let failed = self.db.error("preparing to read events");
        let tx = client.build_transaction().read_only(true).start();
        let tx = tx.await.map_err(&failed)?;
        let by_index = tx.prepare_cached(include_str!("sql/by_index.sql")).await;
        let by_index = by_index.map_err(&failed)?;
        tx.query(&by_index, &[]).await.map_err(&failed)?;
        Ok(self.scan(&tx, from, limit).await?)
    }

    async fn scan(
        &self,
        client: &impl GenericClient,
        from: u64,
        limit: u64,
    ) -> Result<Vec<Record>, DbError> {
        let failed = self.db.error("reading events");
        let prepare = async |sql| client.prepare_cached(sql).await.map_err(&failed);
        let headers = prepare(include_str!("sql/scan_headers.sql")).await?;
        let data = prepare(include_str!("sql/scan_data.sql")).await?;
        let (from, to) = (bigint(from), bigint(from.saturating_add(limit)));
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.id, &from, &to];
        // Two scans side by side cost less than looking up the data of each header. Data that is not there in the second
        // was deleted.
        let headers = client.query(&headers, &parameters).await.map_err(&failed)?;
        let (mut records, mut bytes) = (Vec::with_capacity(headers.len()), 0);
        // What was asked for is sent, wanted or not: so that it is not much where data is large, a part at a time.
        for part in headers.chunks(PART) {
            let [first, ..] = part else { break };
            let (from, to) = (
                first.get::<_, i64>(0),
                part.last().map_or(to, |row| row.get(0)),
            );
            let parameters: [&(dyn ToSql + Sync); 3] = [&self.id, &from, &(to + 1)];
            let rows = client.query_raw(&data, parameters).await.map_err(&failed)?;
            let mut rows = std::pin::pin!(rows);
            let mut next = rows.try_next().await.map_err(&failed)?;
            for header in part {
                let seq: i64 = header.get(0);
                while next.as_ref().is_some_and(|row| row.get::<_, i64>(0) < seq) {
                    next = rows.try_next().await.map_err(&failed)?;
                }
                let data = next.as_ref().filter(|row| row.get::<_, i64>(0) == seq);
                let record = record(&self.db, header, data.map(|row| (row, 1)))?;
                bytes += record.body.as_ref().map_or(0, |body| body.data.len());
                records.push(record);
                if bytes > MOST_BYTES {
                    return Ok(records);
                }
            }
        }
        Ok(records)
    }

    /// These positions, in order, as far as the chain has them. How many are read at a time is the caller's to bound.
    pub async fn records_at(&self, seqs: &[u64]) -> Result<Vec<Record>, ReadError> {
        let failed = self.db.error("reading events");
        let client = self.db.client().await?;
        let seqs: Vec<i64> = seqs.iter().copied().map(bigint).collect();
        let statement = client
            .prepare_cached(include_str!("sql/records_at.sql"))
            .await
            .map_err(&failed)?;
        let rows = client
            .query(&statement, &[&self.id, &seqs])
            .await
            .map_err(&failed)?;
        let read = |row: &Row| record(&self.db, row, Some((row, 15))).map_err(ReadError::from);
        rows.iter().map(read).collect()
    }

    /// One position; `None` where the chain ends before it.
    pub async fn record(&self, seq: u64) -> Result<Option<Record>, ReadError> {
        Ok(self.records(seq, 1).await?.pop())
    }

    /// Where in their streams the messages lie that looked like a secret: those of the positions `from..to` that were
    /// recorded before a time, in order, each with its stream and its number there.
    pub async fn suspected_secrets(
        &self,
        from: u64,
        to: u64,
        before_us: i64,
    ) -> Result<Vec<(u64, String, u64)>, ReadError> {
        let failed = self.db.error("looking for what looked like a secret");
        let client = self.db.client().await?;
        let rows = client
            .query(
                include_str!("sql/suspected_secrets.sql"),
                &[&self.id, &bigint(from), &bigint(to), &before_us],
            )
            .await
            .map_err(failed)?;
        let number = |row: &Row, at: usize| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0);
        let place = |row: &Row| (number(row, 0), row.get(1), number(row, 2));
        Ok(rows.iter().map(place).collect())
    }

    /// The event with this identity; `None` where the chain has none.
    pub async fn record_of(
        &self,
        publisher: &str,
        source: &str,
        id: &str,
    ) -> Result<Option<Record>, ReadError> {
        let client = self.db.client().await?;
        let key = crate::init::claim(publisher, source, id);
        let row = client
            .query_opt(include_str!("sql/position_of.sql"), &[&self.id, &key])
            .await
            .map_err(self.db.error("looking for an identity"))?;
        drop(client);
        match row {
            Some(row) => self.record(position(&self.db, row.get(0))?).await,
            None => Ok(None),
        }
    }

    /// The position and the data of the last activation at or before a position; `None` before the first.
    pub async fn activation_at(&self, seq: u64) -> Result<Option<(u64, Bytes)>, ReadError> {
        let client = self.db.client().await?;
        let seq = bigint(seq);
        let row = client
            .query_opt(include_str!("sql/activation.sql"), &[&self.id, &seq])
            .await
            .map_err(self.db.error("reading the catalog"))?;
        let Some(row) = row else { return Ok(None) };
        let data = Bytes::copy_from_slice(row.get::<_, &[u8]>(1));
        Ok(Some((position(&self.db, row.get(0))?, data)))
    }

    /// The last activation at or before a position, with the packages it names; `None` before the first.
    pub async fn catalog_at(&self, seq: u64) -> Result<Option<ActiveCatalog>, ReadError> {
        let Some((active, activation)) = self.activation_at(seq).await? else {
            return Ok(None);
        };
        let unreadable =
            |error: serde_json::Error| self.db.form("reading the catalog", error.to_string());
        let named = serde_json::from_slice::<Activated>(&activation).map_err(unreadable)?;
        let mut texts = self.packages_at(seq).await?;
        texts.retain(|digest, _| named.packages.values().any(|named| named == digest));
        Ok(Some(ActiveCatalog {
            seq: active,
            activation,
            texts,
        }))
    }

    /// The last signed head, as a note; `None` before the first.
    pub async fn last_checkpoint(&self) -> Result<Option<String>, ReadError> {
        let client = self.db.client().await?;
        let row = client
            .query_opt(include_str!("sql/last_checkpoint.sql"), &[&self.id])
            .await
            .map_err(self.db.error("reading the last signed head"))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// The signed heads of sizes above `after` up to `to`, in order, as notes.
    pub async fn checkpoints(&self, after: u64, to: u64) -> Result<Vec<String>, ReadError> {
        let client = self.db.client().await?;
        let rows = client
            .query(
                include_str!("sql/checkpoints.sql"),
                &[&self.id, &bigint(after), &bigint(to)],
            )
            .await
            .map_err(self.db.error("reading signed heads"))?;
        Ok(rows.iter().map(|row| row.get(2)).collect())
    }

    /// A full tile of the tree, 256 hashes side by side; `None` where it is not full yet.
    pub async fn tile(&self, level: u8, index: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let client = self.db.client().await?;
        let (from, to) = (bigint(index), bigint(index.saturating_add(1)));
        let row = client
            .query_opt(
                include_str!("sql/tiles.sql"),
                &[&self.id, &i16::from(level), &from, &to],
            )
            .await
            .map_err(self.db.error("reading a tile"))?;
        Ok(row.map(|row| row.get(1)))
    }

    /// The text of every package that was recorded at or before a position, by digest.
    pub async fn packages_at(&self, seq: u64) -> Result<BTreeMap<String, String>, ReadError> {
        let client = self.db.client().await?;
        let rows = client
            .query(include_str!("sql/catalogs.sql"), &[&self.id, &bigint(seq)])
            .await
            .map_err(self.db.error("reading the catalog"))?;
        let mut texts = BTreeMap::new();
        for row in rows {
            let recorded: Recorded = serde_json::from_slice(row.get(0))
                .map_err(|error| self.db.form("reading the catalog", error.to_string()))?;
            texts.insert(recorded.digest, recorded.text);
        }
        Ok(texts)
    }

    /// How many positions were recorded up to a time: what the ledger knew then. Recorded time never falls along
    /// the chain, so a search by halves finds it without an index.
    pub async fn size_as_known(&self, recorded_us: i64) -> Result<u64, ReadError> {
        let (mut known, mut unknown) = (0, self.head().await?.size);
        let client = self.db.client().await?;
        while known < unknown {
            let middle = known.midpoint(unknown);
            let row = client
                .query_one(
                    include_str!("sql/as_known.sql"),
                    &[&self.id, &bigint(middle)],
                )
                .await
                .map_err(self.db.error("looking for a time"))?;
            if row.get::<_, i64>(0) <= recorded_us {
                known = middle + 1;
            } else {
                unknown = middle;
            }
        }
        Ok(known)
    }
}

pub(crate) async fn require_head(db: &Database, ledger: &LedgerName) -> Result<Head, ReadError> {
    let missing = || ReadError::NoLedger {
        ledger: ledger.clone(),
        server: db.server().to_owned(),
    };
    Head::load(db, ledger).await?.ok_or_else(missing)
}

fn position(db: &Database, number: i64) -> Result<u64, DbError> {
    u64::try_from(number).map_err(|_| db.form("reading events", format!("{number} is negative")))
}

fn hash(db: &Database, bytes: &[u8]) -> Result<Hash, DbError> {
    let not = |_| {
        db.form(
            "reading events",
            format!("a hash has {} bytes", bytes.len()),
        )
    };
    bytes.try_into().map_err(not)
}

/// A record from the columns of its header, and from the row and the place where its salt and its data stand.
fn record(db: &Database, row: &Row, body: Option<(&Row, usize)>) -> Result<Record, DbError> {
    let header = Header {
        seq: position(db, row.get(0))?,
        occurred_us: row.get(1),
        recorded_us: row.get(2),
        stream_seq: position(db, row.get(3))?,
        source: row.get(7),
        id: row.get(8),
        event_type: row.get(9),
        subject: row.get(10),
        actor: row.get(11),
        publisher: row.get(12),
        context: row.get(13),
        stream: row.get(14),
    };
    let bytes = |after: usize| {
        let (row, at) = body?;
        row.get::<_, Option<&[u8]>>(at + after)
    };
    let salt = bytes(0).map(|salt| hash(db, salt)).transpose()?;
    let data = bytes(1).map(Bytes::copy_from_slice);
    Ok(Record {
        header,
        data_commitment: hash(db, row.get(4))?,
        event_hash: hash(db, row.get(5))?,
        chain: hash(db, row.get(6))?,
        body: salt.zip(data).map(|(salt, data)| Body { salt, data }),
    })
}

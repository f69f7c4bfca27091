//! Where a ledger stands.

use schema::LedgerName;
use tokio_postgres::Row;

use crate::db::{Database, DbError};
use crate::digest::Hash;

/// The head of one ledger: the last position, where it came from, and who may append after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The ledger's number in this database.
    pub id: i32,
    /// The ledger's name: that of its stream and its source, also where the log was succeeded and is found under
    /// another.
    pub ledger: LedgerName,
    /// The name that the world knows the ledger by.
    pub origin: String,
    /// How many positions there are: the next one.
    pub size: u64,
    /// The chain's value after the last position.
    pub chain: Hash,
    /// The stream that the last message came from: `<name>@<its creation time in µs>`.
    pub stream: String,
    /// The number of the last message in that stream; 0 before the first.
    pub stream_seq: u64,
    /// The JetStream time of that message in µs; after `init` the stream's creation.
    pub message_us: i64,
    /// `recorded_us` of the last position.
    pub recorded_us: i64,
    /// Increases whenever somebody takes over appending.
    pub epoch: i64,
    /// The origin of the log that goes on in the place of this one, which is frozen.
    pub succeeded_by: Option<String>,
}

impl Head {
    /// Reads the head of a ledger; `None` where there is no ledger of this name.
    pub async fn load(db: &Database, ledger: &LedgerName) -> Result<Option<Self>, DbError> {
        let client = db.client().await?;
        let row = client
            .query_opt(include_str!("sql/head.sql"), &[&ledger.as_str()])
            .await
            .map_err(db.error("reading the head"))?;
        row.map(|row| Self::from_row(db, row.get("ledger"), &row))
            .transpose()
    }

    /// Notes when the head's message was stored, in µs, where that was not known. Nothing happens where somebody has
    /// taken over or appended since, or where the message cannot be the one that was recorded.
    pub async fn correct_message_time(&self, db: &Database, time_us: i64) -> Result<(), DbError> {
        let client = db.client().await?;
        let statement = include_str!("sql/correct_message_time.sql");
        client
            .execute(
                statement,
                &[&self.id, &self.epoch, &bigint(self.size), &time_us],
            )
            .await
            .map_err(db.error("noting the time of the head's message"))?;
        Ok(())
    }

    /// Reads the columns that every statement on `ledger.head` gives.
    pub(crate) fn from_row(db: &Database, id: i32, row: &Row) -> Result<Self, DbError> {
        let name = LedgerName::new(row.get::<_, &str>("name"));
        let count = |name: &'static str| {
            u64::try_from(row.get::<_, i64>(name))
                .map_err(|_| db.form("reading the head", format!("{name} is negative")))
        };
        let chain = row.get::<_, &[u8]>("chain").try_into();
        Ok(Self {
            id,
            ledger: name.map_err(|_| db.form("reading the head", "the name is no ledger's"))?,
            origin: row.get("origin"),
            size: count("size")?,
            chain: chain.map_err(|_| db.form("reading the head", "chain is not 32 bytes"))?,
            stream: row.get("stream"),
            stream_seq: count("stream_seq")?,
            message_us: row.get("message_us"),
            recorded_us: row.get("recorded_us"),
            epoch: row.get("epoch"),
            succeeded_by: row.get("succeeded_by"),
        })
    }
}

/// A position or a count as PostgreSQL keeps it. JetStream and we count from 0 and never reach 2⁶³.
pub(crate) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! Event 0: a ledger begins.

use bytes::Bytes;
use schema::LedgerName;
use serde_json::json;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::db::{Database, DbError};
use crate::digest::{self, Digests, Hash};
use crate::head::Head;
use crate::keyring::{Keyring, KeyringError};
use crate::record::Header;

/// Why a ledger could not be made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one of this name already.
    #[error(
        "there is a ledger {ledger} of origin {origin} in this database already; use it, or choose \
         another name or database"
    )]
    Exists {
        /// The ledger's name.
        ledger: LedgerName,
        /// The origin that it has.
        origin: String,
    },
    /// The origin has not the form that signed heads need.
    #[error(
        "{0:?} is no origin: it has no scheme, no white space and no \"+\", like ledger.example/main"
    )]
    Origin(String),
    /// A key cannot be had.
    #[error("the ledger's first salt key cannot be had")]
    Keys(#[from] KeyringError),
    /// The database did not do it.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// Makes a ledger whose first stream, `LEDGER-<ledger>`, was created at `stream_created_us`, and gives its head.
/// The same arguments and keys give the same event 0.
pub async fn create(
    db: &Database,
    ledger: &LedgerName,
    origin: &str,
    stream_created_us: i64,
    keyring: &Keyring,
) -> Result<Head, InitError> {
    check_origin(origin)?;
    let first = First::new(ledger, origin, stream_created_us, keyring)?;
    if let Some(head) = store(db, ledger, origin, &first).await? {
        return Ok(head);
    }
    let found = Head::load(db, ledger).await?;
    Err(InitError::Exists {
        ledger: ledger.clone(),
        origin: found.map_or_else(String::new, |head| head.origin),
    })
}

/// Whether a name can be an origin.
pub fn check_origin(origin: &str) -> Result<(), InitError> {
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if origin.is_empty() || origin.contains("://") || !origin.chars().all(legal) {
        return Err(InitError::Origin(origin.to_owned()));
    }
    Ok(())
}

/// Event 0 as it is stored.
#[derive(Debug)]
pub(crate) struct First {
    pub header: Header,
    pub data_commitment: Hash,
    pub event_hash: Hash,
    pub chain: Hash,
    /// Salt and data.
    pub body: Option<(Hash, Bytes)>,
}

impl First {
    pub fn new(
        ledger: &LedgerName,
        origin: &str,
        stream_created_us: i64,
        keyring: &Keyring,
    ) -> Result<Self, KeyringError> {
        let salt_key = keyring.create_salt_key(stream_created_us)?;
        let mut digests = Digests::default();
        let header = first_header(ledger, origin, stream_created_us);
        let data = schema::canonical::to_bytes(&json!({ "origin": origin }));
        let salt = digests.salt(&salt_key, &header.stream, header.stream_seq);
        let data_commitment = digests.data_commitment(&salt, &data);
        let event_hash = digests.event_hash(&header, &data_commitment, &mut Vec::new());
        let chain = digests.chain(0, &digest::genesis(origin), &event_hash);
        Ok(Self {
            header,
            data_commitment,
            event_hash,
            chain,
            body: Some((salt, data.into())),
        })
    }
}

/// Stores event 0 and gives the new ledger's head; `None` where the name is taken.
pub(crate) async fn store(
    db: &Database,
    ledger: &LedgerName,
    origin: &str,
    first: &First,
) -> Result<Option<Head>, DbError> {
    let failed = db.error("making the ledger");
    let mut client = db.client().await?;
    let transaction = client.transaction().await.map_err(&failed)?;
    let head = store_in(&transaction, ledger, origin, first).await;
    let head = head.map_err(&failed)?;
    transaction.commit().await.map_err(&failed)?;
    Ok(head)
}

/// The same in a transaction of the caller's.
pub(crate) async fn store_in(
    transaction: &Transaction<'_>,
    ledger: &LedgerName,
    origin: &str,
    first: &First,
) -> Result<Option<Head>, tokio_postgres::Error> {
    let header = &first.header;
    let at_us = header.recorded_us;
    let stream = format!("{}@{at_us}", ledger.stream_in());
    let made = transaction
        .query_opt(
            include_str!("sql/init_head.sql"),
            &[
                &at_us,
                &first.chain.as_slice(),
                &ledger.as_str(),
                &origin,
                &stream,
            ],
        )
        .await?;
    let Some(id) = made.map(|row| row.get::<_, i32>(0)) else {
        return Ok(None);
    };
    let room = include_str!("sql/make_room.sql");
    transaction.execute(room, &[&id, &0_i64]).await?;
    transaction
        .execute(
            include_str!("sql/init_event.sql"),
            &[
                &id,
                &at_us,
                &first.data_commitment.as_slice(),
                &first.event_hash.as_slice(),
                &first.chain.as_slice(),
                &header.source,
                &header.id,
                &header.event_type,
                &header.subject,
                &header.publisher,
            ],
        )
        .await?;
    if let Some((salt, data)) = &first.body {
        let body = include_str!("sql/init_body.sql");
        transaction
            .execute(body, &[&id, &salt.as_slice(), &data.as_ref()])
            .await?;
    }
    let key = claim(&header.publisher, &header.source, &header.id);
    let seen = include_str!("sql/init_seen.sql");
    transaction.execute(seen, &[&id, &key]).await?;
    let sealer = include_str!("sql/init_sealer.sql");
    transaction.execute(sealer, &[&id]).await?;
    Ok(Some(Head {
        id,
        ledger: ledger.clone(),
        origin: origin.to_owned(),
        size: 1,
        chain: first.chain,
        stream,
        stream_seq: 0,
        message_us: at_us,
        recorded_us: at_us,
        epoch: 0,
        succeeded_by: None,
    }))
}

/// The header of `ledger.chain.started`.
fn first_header(ledger: &LedgerName, origin: &str, at_us: i64) -> Header {
    Header {
        seq: 0,
        occurred_us: at_us,
        recorded_us: at_us,
        source: ledger.source(),
        id: origin.to_owned(),
        event_type: "ledger.chain.started".to_owned(),
        subject: ledger.to_string(),
        publisher: "ledger".to_owned(),
        ..Header::default()
    }
}

/// The key of `ledger.seen`: the first 16 bytes of the identity's digest.
pub(crate) fn claim(publisher: &str, source: &str, id: &str) -> Uuid {
    let digest = digest::message_id(publisher, source, id);
    Uuid::from_bytes(digest.first_chunk().copied().unwrap_or_default())
}

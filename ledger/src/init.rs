//! Event 0: a ledger begins.

use schema::LedgerName;
use serde_json::json;
use uuid::Uuid;

use crate::db::{Database, DbError};
use crate::digest::{self, Digests};
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
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if origin.is_empty() || origin.contains("://") || !origin.chars().all(legal) {
        return Err(InitError::Origin(origin.to_owned()));
    }
    let salt_key = keyring.salt_key(stream_created_us)?;
    let mut digests = Digests::default();
    let header = first_header(ledger, origin, stream_created_us);
    let data = schema::canonical::to_bytes(&json!({ "origin": origin }));
    let salt = digests.salt(&salt_key, &header.stream, header.stream_seq);
    let commitment = digests.data_commitment(&salt, &data);
    let event_hash = digests.event_hash(&header, &commitment, &mut Vec::new());
    let chain = digests.chain(0, &digest::genesis(origin), &event_hash);
    let stream = format!("{}@{stream_created_us}", ledger.stream_in());
    let key = claim(&header.publisher, &header.source, &header.id);

    let failed = db.error("making the ledger");
    let mut client = db.client().await?;
    let transaction = client.transaction().await.map_err(&failed)?;
    let made = transaction
        .query_opt(
            include_str!("sql/init_head.sql"),
            &[
                &stream_created_us,
                &chain.as_slice(),
                &ledger.as_str(),
                &origin,
                &stream,
            ],
        )
        .await
        .map_err(&failed)?;
    let Some(id) = made.map(|row| row.get::<_, i32>(0)) else {
        drop(transaction);
        let origin = Head::load(db, ledger)
            .await?
            .map_or_else(String::new, |head| head.origin);
        let ledger = ledger.clone();
        return Err(InitError::Exists { ledger, origin });
    };
    transaction
        .execute(include_str!("sql/make_room.sql"), &[&id, &0_i64])
        .await
        .map_err(&failed)?;
    transaction
        .execute(
            include_str!("sql/init_event.sql"),
            &[
                &id,
                &stream_created_us,
                &commitment.as_slice(),
                &event_hash.as_slice(),
                &chain.as_slice(),
                &header.source,
                &header.id,
                &header.event_type,
                &header.subject,
                &header.publisher,
            ],
        )
        .await
        .map_err(&failed)?;
    transaction
        .execute(
            include_str!("sql/init_body.sql"),
            &[&id, &salt.as_slice(), &data],
        )
        .await
        .map_err(&failed)?;
    transaction
        .execute(include_str!("sql/init_seen.sql"), &[&id, &key])
        .await
        .map_err(&failed)?;
    transaction
        .execute(include_str!("sql/init_sealer.sql"), &[&id])
        .await
        .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)?;
    Ok(Head {
        id,
        ledger: ledger.clone(),
        origin: origin.to_owned(),
        size: 1,
        chain,
        stream,
        stream_seq: 0,
        message_us: stream_created_us,
        recorded_us: stream_created_us,
        epoch: 0,
    })
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

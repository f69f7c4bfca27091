//! A log whose end is lost, from the database and from the stream, is succeeded by another.
//!
//! The old rows stay where they are, under another name, frozen; they can be read, verified and exported for ever.
//! The successor takes the name, so that publishers go on as they did, and has an origin and a signing key of its
//! own: nobody can take its heads for heads of the old log. The first message of its stream,
//! `ledger.chain.succeeded`, names the old origin, and the size and root of the last head that was signed of it.

use crate::db::{Database, DbError};
use crate::head::{Head, bigint};
use crate::init::{First, InitError, check_origin, store_in};
use crate::keyring::Keyring;

/// What a succession made of a database.
#[derive(Debug)]
pub struct Successor {
    /// The successor's head: event 0.
    pub head: Head,
    /// The name that the old log has from now on.
    pub aside: String,
}

/// Freezes `old` and makes event 0 of its successor, whose stream was created at `stream_created_us`, in one
/// transaction. Fails where anybody has appended since `old` was read.
pub async fn succeed(
    db: &Database,
    old: &Head,
    origin: &str,
    stream_created_us: i64,
    keyring: &Keyring,
) -> Result<Successor, InitError> {
    check_origin(origin)?;
    if origin == old.origin {
        return Err(InitError::Origin(origin.to_owned()));
    }
    let first = First::new(&old.ledger, origin, stream_created_us, keyring)?;
    let failed = db.error("starting the successor");
    let mut client = db.client().await?;
    let transaction = client.transaction().await.map_err(&failed)?;
    let retired = transaction
        .query_one(
            include_str!("sql/retire.sql"),
            &[&old.id, &old.epoch, &bigint(old.size), &origin],
        )
        .await
        .map_err(&failed)?;
    let head = store_in(&transaction, &old.ledger, origin, &first).await;
    let head = head.map_err(&failed)?;
    transaction.commit().await.map_err(&failed)?;
    let head = head.ok_or_else(|| InitError::Exists {
        ledger: old.ledger.clone(),
        origin: origin.to_owned(),
    })?;
    Ok(Successor {
        head,
        aside: retired.get(0),
    })
}

/// The names of the logs in this database that were succeeded, with their origins and those of their successors.
pub async fn retired(db: &Database) -> Result<Vec<(String, String, String)>, DbError> {
    let client = db.client().await?;
    let rows = client
        .query(include_str!("sql/retired.sql"), &[])
        .await
        .map_err(db.error("reading which logs were succeeded"))?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}

//! Who tries: an advisory lock in PostgreSQL a role and ledger, held by a connection of its own.
//!
//! Safety does not rest on it, but on epochs: a process that lost its lease unnoticed is refused when it writes.

use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object};
use ledger::db::DbError;
use tokio::sync::watch;
use tokio_postgres::Client;

use super::board::Standing;
use super::{Role, Shared};

/// How often a process that stands by asks again.
const POLL: Duration = Duration::from_millis(500);

/// The right to try, while this is held.
pub struct Lease {
    client: ClientWrapper,
    key: i64,
}

/// Waits until this process may try; `None` when told to stop before.
pub async fn wait(shared: &Shared, role: Role, stop: &mut watch::Receiver<bool>) -> Option<Lease> {
    let mut backoff = super::backoff();
    let mut said = false;
    loop {
        if *stop.borrow() {
            return None;
        }
        match take(shared, role).await {
            Ok(Some(lease)) => return Some(lease),
            Ok(None) => {
                shared
                    .board
                    .set(role, Standing::Standby, "another process has this role");
                backoff.reset();
                let _ = tokio::time::timeout(POLL, ingest::backoff::stopped(stop)).await;
            }
            Err(error) => {
                let why = crate::connect::failed(error, true).render();
                if !said {
                    tracing::warn!(role = role.as_str(), "{} is waiting: {why}", role.as_str());
                }
                said = true;
                shared.board.set(role, Standing::Waiting, &why);
                backoff.wait(stop).await;
            }
        }
    }
}

/// Takes the right to try, if nobody has it.
pub async fn take(shared: &Shared, role: Role) -> Result<Option<Lease>, DbError> {
    let client = shared.db.client().await?;
    let key = key(shared, role);
    let row = client
        .query_one(include_str!("../sql/take_lease.sql"), &[&key])
        .await;
    // Who stands by asks on a connection of the pool: a new one each time would be a process of the server's each time.
    if row.as_ref().is_ok_and(|row| !row.get::<_, bool>(0)) {
        return Ok(None);
    }
    // Out of the pool for good: the lock goes with the connection.
    let client = Object::take(client);
    row.map_err(shared.db.error("taking a lease"))?;
    Ok(Some(Lease { client, key }))
}

/// A number for role and ledger: a lock is of one database.
fn key(shared: &Shared, role: Role) -> i64 {
    let name = format!("{}/{}", shared.config.ledger, role.as_str());
    let digest = ledger::digest::message_id("ledger", "lease", &name);
    i64::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
}

impl Lease {
    /// Waits until the connection, and with it the lease, is gone.
    pub async fn lost(&self) {
        let client: &Client = &self.client;
        while !client.is_closed() {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Gives the role to whoever asks next.
    pub async fn release(self) {
        // On a connection that is gone, the lock is gone as well.
        let _ = self
            .client
            .query_one(include_str!("../sql/release_lease.sql"), &[&self.key])
            .await;
    }
}

//! Wakes roles at commits of another process: ingest rings on a subject of its own after each, and the projector on
//! another where there is something new to publish.

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use ingest::nats::Connection;
use tokio::sync::watch;

use super::board::Standing;
use super::{Role, Shared};
use crate::connect;

/// Rings until told to stop. Where it cannot listen, the roles look by themselves, ten times a second.
pub async fn listen(shared: Shared, mut stop: watch::Receiver<bool>) {
    let mut backoff = super::backoff();
    while !*stop.borrow() {
        let Some((connection, mut commits, mut outbox)) = subscribed(&shared).await else {
            backoff.wait(&mut stop).await;
            continue;
        };
        backoff.reset();
        loop {
            tokio::select! {
                () = ingest::backoff::stopped(&mut stop) => return,
                () = connection.lost() => break,
                // Who rings here has rung already where it runs in this process.
                ring = commits.next() => match ring {
                    Some(_) if runs(&shared, Role::Ingest) => {}
                    Some(_) => shared.wake.all(),
                    None => break,
                },
                ring = outbox.next() => match ring {
                    Some(_) if runs(&shared, Role::Project) => {}
                    Some(_) => shared.folding.new_in_outbox.notify_one(),
                    None => break,
                },
            }
        }
    }
}

async fn subscribed(shared: &Shared) -> Option<(Connection, Subscriber, Subscriber)> {
    let connection = connected(shared).await?;
    let ledger = &shared.config.ledger;
    let commits = format!("ledger.{ledger}.wake");
    let commits = connection.client.subscribe(commits).await.ok()?;
    let outbox = connection.client.subscribe(outbox(shared)).await.ok()?;
    Some((connection, commits, outbox))
}

/// Tells whoever publishes from the outbox in another process that there is something new, until told to stop. Where it
/// cannot, they look by themselves.
pub async fn tell(shared: Shared, mut stop: watch::Receiver<bool>) {
    let mut backoff = super::backoff();
    let mut connection: Option<Connection> = None;
    loop {
        tokio::select! {
            () = ingest::backoff::stopped(&mut stop) => return,
            () = shared.folding.new_to_tell.notified() => {}
        }
        if runs(&shared, Role::Outbox) {
            connection = None;
            continue;
        }
        let held = connection.take().filter(|held| !held.is_lost());
        let held = match held {
            Some(held) => Some(held),
            None => connected(&shared).await,
        };
        let Some(held) = held else {
            backoff.wait(&mut stop).await;
            continue;
        };
        backoff.reset();
        // A ring that is lost is one that is not needed: the other one looks by itself.
        let _ = held.client.publish(outbox(&shared), Bytes::new()).await;
        connection = Some(held);
    }
}

async fn connected(shared: &Shared) -> Option<Connection> {
    let nats = connect::nats(&shared.config).ok()?;
    nats.connect("wake").await.ok()
}

/// The subject on which the projector rings.
fn outbox(shared: &Shared) -> String {
    format!("ledger.{}.wake.outbox", shared.config.ledger)
}

fn runs(shared: &Shared, role: Role) -> bool {
    shared.board.standing(role) == Some(Standing::Running)
}

/// Whether anything of a process waits for commits, or for what another one has to publish.
pub fn is_needed(roles: &[Role]) -> bool {
    roles
        .iter()
        .any(|role| matches!(role, Role::Project | Role::Notify | Role::Outbox))
}

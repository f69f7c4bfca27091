//! Wakes roles at commits of another process: ingest rings on a subject of its own after each.

use futures_util::StreamExt;
use tokio::sync::watch;

use super::board::Standing;
use super::{Role, Shared};
use crate::connect;

/// Rings until told to stop. Where it cannot listen, the roles look by themselves, ten times a second.
pub async fn listen(shared: Shared, mut stop: watch::Receiver<bool>) {
    let mut backoff = super::backoff();
    let subject = format!("ledger.{}.wake", shared.config.ledger);
    while !*stop.borrow() {
        let listening = async {
            let nats = connect::nats(&shared.config).ok()?;
            let connection = nats.connect("wake").await.ok()?;
            let rings = connection.client.subscribe(subject.clone()).await.ok()?;
            Some((connection, rings))
        };
        let Some((_connection, mut rings)) = listening.await else {
            backoff.wait(&mut stop).await;
            continue;
        };
        backoff.reset();
        loop {
            tokio::select! {
                () = ingest::backoff::stopped(&mut stop) => return,
                ring = rings.next() => match ring {
                    // Where ingest runs here it has rung already.
                    Some(_) if ingests(&shared) => {}
                    Some(_) => shared.wake.all(),
                    None => break,
                },
            }
        }
    }
}

fn ingests(shared: &Shared) -> bool {
    let all = shared.board.all();
    all.get(&Role::Ingest)
        .is_some_and(|(standing, _)| *standing == Standing::Running)
}

/// Whether anything of a process waits for commits.
pub fn is_needed(roles: &[Role]) -> bool {
    roles
        .iter()
        .any(|role| matches!(role, Role::Project | Role::Notify))
}

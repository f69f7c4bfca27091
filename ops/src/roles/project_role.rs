//! From the chain to the views, and the verdicts back to the front door.

use std::sync::Arc;
use std::time::Duration;

use projections::{outbox, project};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::board::Standing;
use super::outages::Outages;
use super::{Role, Shared};
use crate::connect;
use crate::exit::Failure;

/// How often the outbox is looked at where nobody rings.
const POLL: Duration = Duration::from_millis(100);

/// Folds the chain into the views until told to stop; on a thread of its own, since a batch takes a core for a while, and
/// whatever waits behind it for the same thread would wait as long: what it reads and writes itself, first of all.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    shared
        .board
        .set(Role::Project, Standing::Running, "running");
    let wake = Arc::clone(&shared.wake.project);
    let metrics = Arc::clone(&shared.folding);
    let (db, ledger) = (shared.db.clone(), shared.config.ledger.clone());
    let runtime = Handle::current();
    let folding = tokio::task::spawn_blocking(move || {
        runtime.block_on(project::run(&db, &ledger, metrics, stop, wake))
    });
    match folding.await {
        Ok(ended) => ended.map_err(|error| connect::failed(error, false)),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The program ends.
            Err(_) => Ok(()),
        },
    }
}

/// Publishes verdicts until they are in the chain.
pub async fn publish(shared: &Shared, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let mut outages = Outages::of(Role::Outbox);
    while let Some(connection) = outages.connection(shared, &mut stop).await? {
        shared.board.set(Role::Outbox, Standing::Running, "running");
        let metrics = Arc::clone(&shared.folding);
        // A connection is not kept alive over a loss: what was in flight is sent again on a new one.
        tokio::select! {
            ended = outbox::run(&shared.db, &shared.config.ledger, &connection.js, metrics, POLL, stop.clone()) => {
                return ended.map_err(Failure::from);
            }
            () = connection.lost() => {}
        }
    }
    Ok(())
}

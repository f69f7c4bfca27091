//! From the chain to the views, and the verdicts back to the front door.

use std::sync::Arc;
use std::time::Duration;

use projections::{outbox, project};
use tokio::sync::watch;

use super::board::Standing;
use super::outages::Outages;
use super::{Role, Shared};
use crate::connect;
use crate::exit::Failure;

/// How often the outbox is looked at where nobody rings.
const POLL: Duration = Duration::from_millis(100);

/// Folds the chain into the views until told to stop.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    shared
        .board
        .set(Role::Project, Standing::Running, "running");
    let wake = Arc::clone(&shared.wake.project);
    let metrics = Arc::clone(&shared.folding);
    project::run(&shared.db, &shared.config.ledger, metrics, stop, wake)
        .await
        .map_err(|error| connect::failed(error, false))
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

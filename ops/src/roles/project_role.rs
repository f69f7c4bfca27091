//! From the chain to the views, and the verdicts back to the front door.

use std::sync::Arc;
use std::time::Duration;

use projections::{outbox, project};
use tokio::sync::watch;

use super::board::Standing;
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
    let mut backoff = super::backoff();
    while !*stop.borrow() {
        let connection = match connect::nats(&shared.config)?.connect("outbox").await {
            Ok(connection) => connection,
            Err(error) if error.is_unavailable() => {
                let why = Failure::from(error).render();
                shared.board.set(Role::Outbox, Standing::Waiting, &why);
                backoff.wait(&mut stop).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        backoff.reset();
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

//! What goes out: receipts, quarantine, violations.

use std::sync::Arc;

use ingest::outgoing::{self, Config as Outgoing};
use tokio::sync::watch;

use super::board::Standing;
use super::{Role, Shared, backoff};
use crate::connect;
use crate::exit::Failure;

/// Publishes outward until told to stop.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let config = Outgoing {
        nats: connect::nats(&shared.config)?,
        ledger: shared.config.ledger.clone(),
        backoff: backoff(),
    };
    shared.board.set(Role::Notify, Standing::Running, "running");
    let wake = Arc::clone(&shared.wake.notify);
    let metrics = Arc::clone(&shared.metrics);
    outgoing::run(config, shared.db.clone(), wake, metrics, stop)
        .await
        .map_err(|error| connect::failed(error, false))
}

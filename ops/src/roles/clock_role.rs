//! Sees to it that what is due is found to be due, also where nothing else happens, and looks after what goes out.

use std::sync::Arc;

use projections::clock;
use tokio::sync::watch;

use super::board::Standing;
use super::outages::Outages;
use super::{Role, Shared, deliveries};
use crate::app;
use crate::exit::Failure;

/// Ticks until told to stop.
pub async fn run(shared: &Shared, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let mut outages = Outages::of(Role::Clock);
    while let Some(connection) = outages.connection(shared, &mut stop).await? {
        shared.board.set(Role::Clock, Standing::Running, "running");
        let (db, ledger) = (&shared.db, &shared.config.ledger);
        let metrics = Arc::clone(&shared.folding);
        tokio::select! {
            ended = clock::run(db, ledger, &connection.js, app::now_us, metrics, stop.clone()) => {
                return ended.map_err(Failure::from);
            }
            () = connection.lost() => {}
            never = deliveries::watch(shared, &connection) => match never {},
        }
    }
    Ok(())
}

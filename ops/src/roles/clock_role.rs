//! Sees to it that what is due is found to be due, also where nothing else happens, and looks after what goes out.

use std::sync::Arc;

use projections::clock;
use tokio::sync::watch;

use super::board::Standing;
use super::{Role, Shared, deliveries};
use crate::app;
use crate::connect;
use crate::exit::Failure;

/// Ticks until told to stop.
pub async fn run(shared: &Shared, mut stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let mut backoff = super::backoff();
    while !*stop.borrow() {
        let connection = match connect::nats(&shared.config)?.connect("clock").await {
            Ok(connection) => connection,
            Err(error) if error.is_unavailable() => {
                let why = Failure::from(error).render();
                shared.board.set(Role::Clock, Standing::Waiting, &why);
                backoff.wait(&mut stop).await;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        backoff.reset();
        shared.board.set(Role::Clock, Standing::Running, "running");
        let (db, ledger) = (&shared.db, &shared.config.ledger);
        let metrics = Arc::clone(&shared.folding);
        tokio::select! {
            ended = clock::run(db, ledger, &connection.js, app::now_us, metrics, stop.clone()) => {
                return ended.map_err(Failure::from);
            }
            () = connection.lost() => {}
            never = deliveries::watch(shared, &connection.js) => match never {},
        }
    }
    Ok(())
}

//! From the stream to the chain.

use std::sync::Arc;

use ingest::consume::{self, Config as Consume, IngestError};
use ledger::append::{AppendError, Appender};
use tokio::sync::watch;

use super::board::Standing;
use super::{Role, Shared, backoff};
use crate::connect;
use crate::exit::Failure;
use crate::released::Released;

/// Takes over appending and reads the stream until told to stop.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    let ledger = &shared.config.ledger;
    let appender = Appender::take_over(shared.db.clone(), ledger, shared.keyring.clone())
        .await
        .map_err(appending)?;
    connect::check_origin(&shared.config, appender.head())?;
    let mut config = Consume::new(connect::nats(&shared.config)?, backoff());
    let connection = connect::connection(&shared.config, "released").await?;
    config.released = Released::read(&shared.config, &connection).await?.size();
    drop(connection);
    let wake = shared.wake.clone();
    shared.board.set(Role::Ingest, Standing::Running, "running");
    let metrics = Arc::clone(&shared.metrics);
    let consuming = consume::run(
        config,
        shared.db.clone(),
        appender,
        move |_, _| wake.all(),
        metrics,
        stop,
    );
    Box::pin(consuming)
        .await
        .map_err(|error: IngestError| connect::failed(error, false))
}

fn appending(error: AppendError) -> Failure {
    let away = matches!(error, AppendError::Unavailable(_));
    connect::failed(error, away)
}

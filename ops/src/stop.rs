//! Being told to stop: SIGTERM, SIGINT, once politely.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit::{Context, Failure};
use crate::output;

/// A receiver that turns true on the first SIGTERM or SIGINT. The second one ends the process at once.
pub fn on_signal() -> Result<(watch::Sender<bool>, watch::Receiver<bool>), Failure> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (tell, told) = watch::channel(false);
    let teller = tell.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(130);
            }
            output::say("ledger: stopping; the batch in hand is finished first");
            teller.send_replace(true);
        }
    });
    Ok((tell, told))
}

//! Counters of a projector and its publisher, for whoever serves metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use ledger::outage::Outage;
use tokio::sync::Notify;

/// Plain counters, from the start of the program.
#[derive(Debug, Default)]
pub struct Metrics {
    /// The next position to fold.
    pub next_seq: AtomicU64,
    /// `recorded_us` of the last position that was folded; 0 before the first.
    pub recorded_us: AtomicU64,
    /// Events that were folded.
    pub events: AtomicU64,
    /// Batches that were committed.
    pub batches: AtomicU64,
    /// Verdicts that were derived.
    pub verdicts: AtomicU64,
    /// Verdicts in the chain that do not follow from it.
    pub unexpected: AtomicU64,
    /// Messages that were sent by the front door, again or for the first time.
    pub published: AtomicU64,
    /// Messages that wait to be seen in the chain.
    pub outbox: AtomicU64,
    /// Messages of the outbox that the door did not let in, and that are not sent again.
    pub refused: AtomicU64,
    /// Ticks of the clock.
    pub ticks: AtomicU64,
    /// Why the projector waits.
    pub project_outage: Outage,
    /// Why the publisher of the outbox waits.
    pub outbox_outage: Outage,
    /// Why the clock waits.
    pub clock_outage: Outage,
    /// How often a server was away.
    pub outages: AtomicU64,
    /// Rung when the outbox has something new.
    pub new_in_outbox: Notify,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, number: usize) {
        counter.fetch_add(u64::try_from(number).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set(gauge: &AtomicU64, value: u64) {
        gauge.store(value, Ordering::Relaxed);
    }
}

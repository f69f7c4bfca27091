//! Counters of a projector and its publisher, for whoever serves metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ledger::outage::Outage;
use tokio::sync::Notify;

use crate::verdict::Outgoing;

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
    /// How many incidents are not resolved, by severity; nothing before they were counted.
    pub open_incidents: Mutex<Vec<(&'static str, u64)>>,
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
    /// The same, for whoever tells a publisher in another process.
    pub new_to_tell: Notify,
    /// What was laid into the outbox since somebody in this process took it from here, each with its position.
    fresh: Mutex<Vec<(u64, Outgoing)>>,
}

/// How many messages are kept here at most; there are more where nobody in this process publishes.
const MOST_FRESH: usize = 1000;

impl Metrics {
    /// How many incidents are not resolved, by severity; nothing before they were counted.
    pub fn open(&self) -> Vec<(&'static str, u64)> {
        let open = self.open_incidents.lock();
        open.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These are in the outbox from here on.
    pub(crate) fn lay(&self, messages: Vec<(u64, Outgoing)>) {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.len() + messages.len() > MOST_FRESH {
            // They are read from the outbox instead.
            fresh.clear();
        } else {
            fresh.extend(messages);
        }
        drop(fresh);
        self.new_in_outbox.notify_one();
        self.new_to_tell.notify_one();
    }

    /// What was laid into the outbox since this was asked last, if it was not very much.
    pub(crate) fn take_fresh(&self) -> Vec<(u64, Outgoing)> {
        std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_open(&self, counted: &[(String, u64)]) {
        let of = |severity: &'static str| {
            let counted = counted.iter().find(|(name, _)| name == severity);
            (severity, counted.map_or(0, |(_, number)| *number))
        };
        let open = self.open_incidents.lock();
        *open.unwrap_or_else(PoisonError::into_inner) =
            ["info", "warning", "error", "critical"].map(of).to_vec();
    }

    pub(crate) fn add(counter: &AtomicU64, number: usize) {
        counter.fetch_add(u64::try_from(number).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn set(gauge: &AtomicU64, value: u64) {
        gauge.store(value, Ordering::Relaxed);
    }
}

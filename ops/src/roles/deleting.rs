//! What the role `retain` of this process has deleted, and what waits for it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use projections::retention::Waiting;

/// What the metrics say of deleting.
#[derive(Debug, Default)]
pub struct Deleting {
    deleted: AtomicU64,
    overwritten: AtomicU64,
    announced: AtomicU64,
    due: AtomicU64,
    held: AtomicU64,
    ran_us: AtomicI64,
}

impl Deleting {
    /// The data of so many positions was deleted.
    pub(super) fn deleted(&self, many: usize) {
        let many = u64::try_from(many).unwrap_or(u64::MAX);
        self.deleted.fetch_add(many, Relaxed);
    }

    /// So many messages of the stream were overwritten.
    pub(super) fn overwrote(&self, many: usize) {
        let many = u64::try_from(many).unwrap_or(u64::MAX);
        self.overwritten.fetch_add(many, Relaxed);
    }

    /// So much waits.
    pub(super) fn waits(&self, waiting: Waiting) {
        self.announced.store(waiting.announced, Relaxed);
        self.due.store(waiting.due, Relaxed);
        self.held.store(waiting.held, Relaxed);
    }

    /// All that there was to do was done, at a time in µs.
    pub(super) fn ran(&self, at_us: i64) {
        self.ran_us.store(at_us, Relaxed);
    }

    /// How many positions' data this process has deleted, and how many messages it has overwritten.
    pub fn done(&self) -> (u64, u64) {
        (self.deleted.load(Relaxed), self.overwritten.load(Relaxed))
    }

    /// How much waits.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            announced: self.announced.load(Relaxed),
            due: self.due.load(Relaxed),
            held: self.held.load(Relaxed),
        }
    }

    /// When all that there was to do was last done, in µs since 1970; 0 for never.
    pub fn ran_us(&self) -> i64 {
        self.ran_us.load(Relaxed)
    }
}

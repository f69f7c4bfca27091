//! What ingest has done and where it stands, for whoever shows it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use ledger::append::{Kind, Outcome};
use ledger::outage::Outage;
use schema::Reason;

/// What the consuming role is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not started, or stopped in order.
    Stopped,
    /// Connecting and checking.
    Opening,
    /// Reading and appending.
    Running,
    /// NATS or PostgreSQL is away; it is tried again.
    Waiting,
    /// Stopped by an error that somebody must mend, such as a lost tail.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Stopped,
        Self::Opening,
        Self::Running,
        Self::Waiting,
        Self::Failed,
    ];

    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Opening => "opening",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }

    fn number(self) -> u64 {
        let at = Self::ALL.iter().position(|state| *state == self);
        at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0)
    }
}

/// Counters (they only rise) and gauges, shared by reference and read at any time.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Events recorded.
    pub recorded: AtomicU64,
    /// Messages recorded as duplicates.
    pub duplicates: AtomicU64,
    /// Messages quarantined, by reason in the order of `Reason::ALL`.
    pub quarantined: [AtomicU64; Reason::ALL.len()],
    /// Gaps of the stream recorded.
    pub gaps: AtomicU64,
    /// Batches committed.
    pub batches: AtomicU64,
    /// Bytes of the messages committed.
    pub bytes: AtomicU64,
    /// How often the stream was opened.
    pub opened: AtomicU64,
    /// The next position of the chain.
    pub size: AtomicU64,
    /// The stream's number of the head.
    pub stream_seq: AtomicU64,
    /// Messages in the stream behind the last that was read, as the server said last.
    pub pending: AtomicU64,
    /// The `JetStream` time in µs of the oldest message that is not committed, as far as known; 0 for none.
    pub oldest_unread_us: AtomicI64,
    /// The `JetStream` time in µs of the head's message.
    pub message_us: AtomicI64,
    /// Receipts published.
    pub receipts: AtomicU64,
    /// The position of the last receipt published.
    pub receipt_seq: AtomicU64,
    /// Why consuming waits.
    pub consume_outage: Outage,
    /// Why publishing outward waits.
    pub notify_outage: Outage,
    state: AtomicU64,
}

impl Metrics {
    /// What the consuming role is doing.
    pub fn state(&self) -> State {
        let number = self.state.load(Ordering::Relaxed);
        let mut states = State::ALL.into_iter();
        states
            .find(|state| state.number() == number)
            .unwrap_or(State::Stopped)
    }

    pub(crate) fn enter(&self, state: State) {
        self.state.store(state.number(), Ordering::Relaxed);
    }

    /// How often messages were quarantined for a reason.
    pub fn quarantined(&self, reason: Reason) -> u64 {
        let at = Reason::ALL.iter().position(|one| *one == reason);
        let counter = at.and_then(|at| self.quarantined.get(at));
        counter.map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    pub(crate) fn committed(&self, outcomes: &[Outcome], bytes: u64) {
        let add = |counter: &AtomicU64, n: u64| counter.fetch_add(n, Ordering::Relaxed);
        for outcome in outcomes {
            let counter = match &outcome.kind {
                Kind::Recorded => Some(&self.recorded),
                Kind::Duplicate { .. } => Some(&self.duplicates),
                Kind::Gap => Some(&self.gaps),
                Kind::Quarantined(reason) => Reason::ALL
                    .iter()
                    .position(|one| one == reason)
                    .and_then(|at| self.quarantined.get(at)),
            };
            if let Some(counter) = counter {
                add(counter, 1);
            }
        }
        add(&self.batches, 1);
        add(&self.bytes, bytes);
    }
}

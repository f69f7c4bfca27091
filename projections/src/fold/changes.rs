//! What a batch changed, ready to be written in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use ledger::digest::Hash;
use schema::rule::Due;
use schema::{EventType, Indexed, KindName};

use crate::derived::{Derived, Expected};
use crate::entity::{Entity, Entry, Key};
use crate::fold::link::{self, Link};
use crate::fold::publishers::Numbers;
use crate::fold::tasks::Task;
use crate::incident::Incident;
use crate::verdict::{Cleared, How, Verdict};

/// How far a chain is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// The next position to fold.
    pub next: u64,
    /// The chain's value before it; `None` where nothing was folded.
    pub chain: Option<Hash>,
    /// `recorded_us` of the last position that was folded.
    pub recorded_us: i64,
}

/// A verdict that is known, and where it stands in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// What it says.
    pub verdict: Verdict,
    /// Whether it was derived here. Where not, its facts were deleted before this fold saw them.
    pub judged: bool,
    /// Where its event stands; `None` while it is on its way.
    pub seq: Option<u64>,
    /// The rule that clears it once it holds again; `None` where nothing does.
    pub found_by: Option<String>,
    /// How it ceased to hold; `None` while it is open.
    pub cleared: Option<Clearing>,
}

impl Known {
    /// A verdict that was derived here, and that nothing clears.
    pub fn derived(verdict: Verdict) -> Self {
        Self {
            verdict,
            judged: true,
            seq: None,
            found_by: None,
            cleared: None,
        }
    }

    /// The data of the event that says that it is cleared.
    pub fn clearing(&self, violation: &str) -> Option<Cleared> {
        self.cleared.as_ref().map(|clearing| Cleared {
            violation: violation.to_owned(),
            by_seq: clearing.by_seq,
            how: clearing.how,
        })
    }

    /// Whether a rule may clear it yet.
    pub(super) fn is_open(&self) -> bool {
        self.found_by.is_some() && self.cleared.is_none()
    }
}

/// How a verdict ceased to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clearing {
    /// The position that cleared it.
    pub by_seq: u64,
    /// How.
    pub how: How,
    /// Where the event stands that says so; `None` while it is on its way.
    pub seq: Option<u64>,
}

/// A deadline that an event has set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// When, of what and by which rule.
    pub due: Due,
    /// Whether that moment has passed and was judged.
    pub fired: bool,
}

/// A line of an entity's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The position.
    pub seq: u64,
    /// Claimed time, µs.
    pub occurred_us: i64,
    /// Recorded time, µs.
    pub recorded_us: i64,
    /// Whose history.
    pub key: Key,
    /// The position of that entity's first event; `None` where its kind has no state.
    pub source: Option<u64>,
    /// The event's type, as received.
    pub event_type: EventType,
    /// Who acted.
    pub actor: String,
    /// Whether the data was deleted before this fold saw it.
    pub redacted: bool,
    /// What it did.
    pub entry: Entry,
}

/// A message that was refused at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// The position.
    pub seq: u64,
    /// Recorded time, µs.
    pub recorded_us: i64,
    /// Who sent it; empty where the subject named nobody legal.
    pub publisher: String,
    /// Why; `None` where the event's data was deleted.
    pub reason: Option<String>,
    /// Where; may be empty.
    pub at: String,
    /// The NATS subject that it came by.
    pub nats_subject: Option<String>,
    /// The size of the body in bytes.
    pub size: Option<u64>,
}

/// An entity that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Which.
    pub key: Key,
    /// Its state after the batch.
    pub entity: Arc<Entity>,
    /// Whether it began in this batch.
    pub new: bool,
}

/// An entity whose links are others. Those that stay are among both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relinked {
    /// The entity.
    pub key: Key,
    /// The position of its first event.
    pub created_seq: u64,
    /// What it said before, in order.
    pub before: Arc<Vec<Link>>,
    /// What it says, in order.
    pub after: Arc<Vec<Link>>,
}

impl Relinked {
    /// The links that are gone.
    pub fn removed(&self) -> impl Iterator<Item = &Link> {
        link::only(&self.before, &self.after)
    }

    /// The links that are new.
    pub fn added(&self) -> impl Iterator<Item = &Link> {
        link::only(&self.after, &self.before)
    }
}

/// A kind whose indexed places are others from here on. After everything else of the batch was written, all links of
/// its entities are to be derived anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reindex {
    /// The kind.
    pub kind: KindName,
    /// Its places from here on; none for a kind that is no longer known.
    pub places: Vec<Indexed>,
}

/// What a batch changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Where the fold stands afterwards.
    pub checkpoint: Checkpoint,
    /// The entities that changed, in the order of their names.
    pub entities: Vec<Changed>,
    /// Those of them whose links are others, in the order of their names.
    pub relinked: Vec<Relinked>,
    /// Kinds whose links are to be derived anew; the above has none of theirs.
    pub reindex: Vec<Reindex>,
    /// Lines of history, in the chain's order.
    pub history: Vec<Line>,
    /// Deadlines that an earlier batch had and that are gone or otherwise now, as they were, in the order of entity and
    /// rule.
    pub disarmed: Vec<Deadline>,
    /// Deadlines that are new or otherwise now, in the order of entity and rule.
    pub armed: Vec<Deadline>,
    /// The highest numbers of publishers that are higher now, in order.
    pub numbers: Vec<(Numbers, u64)>,
    /// Tasks that an earlier batch opened and that are closed, in the order of what they are about.
    pub tasks_closed: Vec<Task>,
    /// Tasks that are open from here on, in the order of what they are about.
    pub tasks_opened: Vec<Task>,
    /// Verdicts that are new or changed, in the order of cause and id.
    pub verdicts: Vec<(String, Known)>,
    /// The ids of those that an earlier batch had.
    pub renewed: BTreeSet<String>,
    /// Verdicts to publish: derived and not yet in the chain.
    pub publish: Vec<Verdict>,
    /// Verdicts whose clearing is to be published: derived and not yet in the chain.
    pub announce: Vec<(Verdict, Cleared)>,
    /// Other derived events that are new, or that were seen, in the order of cause and id.
    pub derived: Vec<(String, Expected)>,
    /// Incidents that are new or changed, in the order of their first causes and ids.
    pub incidents: Vec<Incident>,
    /// The ids of those that an earlier batch had.
    pub known_incidents: BTreeSet<String>,
    /// Causes of incidents that are new, in the order of id and position.
    pub causes: BTreeSet<(String, u64)>,
    /// Those derived events that are to be published, in the order of cause and id.
    pub send: Vec<Derived>,
    /// The ids of messages that need no more publishing, though an earlier batch wanted it.
    pub settled: Vec<String>,
    /// Refused messages.
    pub quarantined: Vec<Quarantined>,
    /// Positions of activations, with the catalog's digest.
    pub activations: Vec<(u64, String)>,
    /// How many verdicts in the chain do not follow from it.
    pub unexpected: u64,
}

impl Changes {
    /// Whether something new is to be published.
    pub fn publishes(&self) -> bool {
        !(self.publish.is_empty() && self.announce.is_empty() && self.send.is_empty())
    }
}

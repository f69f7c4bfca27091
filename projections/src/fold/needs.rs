//! What the fold asks for, and what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::{Equivalent, HashMap};
use schema::Indexed;
use schema::rule::Due;

use crate::derived::Expected;
use crate::entity::{Entity, Key};
use crate::fold::publishers::Numbers;
use crate::fold::tasks::{Task, TaskOf};
use crate::fold::{Deadline, Known, Link, link};
use crate::incident::Incident;

/// A look-up: the entities of a kind that say this at that place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Look {
    /// The kind.
    pub kind: Arc<str>,
    /// The place.
    pub field: Arc<str>,
    /// The kind that is named there; empty for a plain value.
    pub target_kind: Arc<str>,
    /// The value, in the form in which it is indexed.
    pub target_id: String,
}

impl Look {
    /// Of the entities of `kind` those that say `value` at `place`, which the catalog must index.
    pub fn new(kind: Arc<str>, place: &Indexed, value: &str) -> Self {
        Self {
            kind,
            field: place.path().text().clone(),
            target_kind: place.target().clone(),
            target_id: link::target_id(value),
        }
    }

    /// All entities of a kind.
    pub fn all(kind: &str) -> Self {
        LookRef::all(kind).to_look()
    }

    /// Whether it finds all entities of its kind: no value is empty.
    pub fn is_all(&self) -> bool {
        self.target_id.is_empty()
    }

    /// The same, to look it up by.
    pub(super) fn by_ref(&self) -> LookRef<'_> {
        LookRef {
            kind: &self.kind,
            field: &self.field,
            target_kind: &self.target_kind,
            target_id: &self.target_id,
        }
    }
}

/// A look-up as it is looked up: nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LookRef<'a> {
    pub(super) kind: &'a str,
    pub(super) field: &'a str,
    pub(super) target_kind: &'a str,
    pub(super) target_id: &'a str,
}

impl<'a> LookRef<'a> {
    /// All entities of a kind.
    pub(super) fn all(kind: &'a str) -> Self {
        Self {
            kind,
            field: "",
            target_kind: "",
            target_id: "",
        }
    }

    /// The one that finds an entity by this link.
    pub(super) fn of(key: &'a Key, link: &'a Link) -> Self {
        Self {
            kind: key.kind(),
            field: &link.field,
            target_kind: &link.target_kind,
            target_id: &link.target_id,
        }
    }

    pub(super) fn is_all(self) -> bool {
        self.target_id.is_empty()
    }

    /// The same, to keep.
    pub(super) fn to_look(self) -> Look {
        Look {
            kind: self.kind.into(),
            field: self.field.into(),
            target_kind: self.target_kind.into(),
            target_id: self.target_id.to_owned(),
        }
    }
}

// A look-up that is kept and one that is looked up hash alike: their members do, and stand in the same order.
impl Equivalent<Look> for LookRef<'_> {
    fn equivalent(&self, look: &Look) -> bool {
        *self == look.by_ref()
    }
}

/// Deadlines that have not fired, in the order of moment, kind, identifier, rule (its kind's package and entity, its
/// name, its part) and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePage {
    /// Due at this moment or later, in µs.
    pub from_us: i64,
    /// And after this one in that order.
    pub after: Option<Due>,
    /// Due before this moment, in µs.
    pub before_us: i64,
}

/// Positions that an event names to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// The event's position.
    pub seq: u64,
    /// First and last of each range.
    pub ranges: Vec<(u64, u64)>,
    /// When they are to be deleted, in µs, and how long each kind's data is kept at least, in µs: for ever where a kind
    /// is not here. `None` where that is not asked.
    pub least: Option<(i64, Vec<(String, i64)>)>,
    /// Holds that were recorded until then, in µs, are asked for; `None` where none are.
    pub holds_until_us: Option<i64>,
}

/// Which of the positions that an event names must not be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blocked {
    /// The first that must be kept longer.
    pub least: Option<u64>,
    /// The first that a hold keeps, and that hold's position.
    pub held: Option<(u64, u64)>,
}

/// What has to be loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// These entities, with their last incident of each class, the verdicts about them that a rule may clear yet, and the
    /// deadlines that are set for them.
    pub entities: BTreeSet<Key>,
    /// These verdicts.
    pub verdicts: BTreeSet<String>,
    /// Other derived events with these ids.
    pub derived: BTreeSet<String>,
    /// What these incidents are about.
    pub incidents: BTreeSet<String>,
    /// The highest numbers of these.
    pub numbers: BTreeSet<Numbers>,
    /// Which of these tasks are open.
    pub tasks: BTreeSet<TaskOf>,
    /// Every verdict that these rules have found and may clear yet: from here on they are judged no more.
    pub dropped: BTreeSet<String>,
    /// What open incidents of these classes are about: from here on nothing opens or resolves them.
    pub classes: BTreeSet<String>,
    /// The identifiers that these look-ups find.
    pub looks: BTreeSet<Look>,
    /// How many these look-ups find.
    pub counts: BTreeSet<Look>,
    /// The entities about which a verdict is open whose key is this: it may be the name of what is waited for.
    pub waiting: BTreeSet<String>,
    /// The first of these deadlines, as many as are read at a time.
    pub due: Option<Box<DuePage>>,
    /// Which of the positions that an event names must not be deleted.
    pub named: Option<Box<Naming>>,
}

impl Needs {
    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
            && self.verdicts.is_empty()
            && self.derived.is_empty()
            && self.incidents.is_empty()
            && self.tasks.is_empty()
            && self.numbers.is_empty()
            && self.dropped.is_empty()
            && self.classes.is_empty()
            && self.looks.is_empty()
            && self.counts.is_empty()
            && self.waiting.is_empty()
            && self.due.is_none()
            && self.named.is_none()
    }

    /// Whether nothing is asked for but entities, verdicts, other derived events and tasks by their names. The batches
    /// that are being written have changed none of those that are not known: what they changed is, unless one ended with
    /// an activation.
    pub fn are_names(&self) -> bool {
        let unasked = Self {
            entities: self.entities.clone(),
            verdicts: self.verdicts.clone(),
            derived: self.derived.clone(),
            tasks: self.tasks.clone(),
            ..Self::default()
        };
        *self == unasked
    }

    /// Both.
    pub(super) fn extend(&mut self, more: Self) {
        self.entities.extend(more.entities);
        self.verdicts.extend(more.verdicts);
        self.derived.extend(more.derived);
        self.incidents.extend(more.incidents);
        self.tasks.extend(more.tasks);
        self.numbers.extend(more.numbers);
        self.dropped.extend(more.dropped);
        self.classes.extend(more.classes);
        self.looks.extend(more.looks);
        self.counts.extend(more.counts);
        self.waiting.extend(more.waiting);
        self.due = self.due.take().or(more.due);
        self.named = self.named.take().or(more.named);
    }
}

/// What was found of [`Needs`], as the database has it after the last batch that was finished. What was asked for and
/// is not here does not exist.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The entities that exist.
    pub entities: Vec<(Key, Entity)>,
    /// The verdicts that are known.
    pub verdicts: HashMap<String, Known>,
    /// The other derived events that are known.
    pub derived: HashMap<String, Expected>,
    /// The verdicts of rules that are judged no more.
    pub dropped: Vec<(String, Known)>,
    /// What the open incidents of the classes are about.
    pub of_classes: Vec<Key>,
    /// What the incidents that exist are about.
    pub about: HashMap<String, Key>,
    /// The last incident of each class about the entities.
    pub incidents: Vec<Incident>,
    /// The highest numbers, of those that have one.
    pub numbers: HashMap<Numbers, u64>,
    /// Those of the tasks that are open.
    pub tasks: Vec<Task>,
    /// The verdicts about the entities that a rule may clear yet.
    pub open: Vec<(String, Known)>,
    /// The identifiers that a look-up finds, by the positions of the entities' first events.
    pub looks: HashMap<Look, BTreeMap<u64, String>>,
    /// How many a look-up finds.
    pub counts: HashMap<Look, u64>,
    /// The entities about which a verdict with this key is open.
    pub waiting: Vec<(String, Key)>,
    /// The deadlines of the entities, those too that have fired.
    pub deadlines: Vec<Deadline>,
    /// A page of deadlines that have not fired.
    pub due: DueFound,
    /// Which of the named positions must not be deleted.
    pub blocked: Blocked,
}

/// A page of deadlines.
#[derive(Debug, Clone, Default)]
pub struct DueFound {
    /// In the order of [`DuePage`].
    pub page: Vec<Due>,
    /// Whether there may be more.
    pub more: bool,
}

//! What a rule is judged with, and what it asks for.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::cel::View;
use crate::name::KindName;

/// An event at its position, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// `<package>.<entity>`.
    pub kind: &'a str,
    /// The last name of its type.
    pub verb: &'a str,
    /// CloudEvents `id`.
    pub id: &'a str,
    /// The entity's identifier.
    pub subject: &'a str,
    /// CloudEvents `source`.
    pub source: &'a str,
    /// Who acted; may be empty.
    pub actor: &'a str,
    /// Who published it.
    pub publisher: &'a str,
    /// Every other attribute.
    pub context: &'a Map<String, Value>,
    /// Claimed time, µs.
    pub occurred_us: i64,
    /// Recorded time, µs.
    pub recorded_us: i64,
    /// Its position.
    pub seq: u64,
    /// Its data, an object, as [`crate::EventDef::plain`] gives it: an entity that it names is an identifier.
    pub data: &'a Value,
}

/// What all rules are judged with at one position.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The event.
    pub event: Event<'a>,
    /// Its entity after it; `None` where its kind has no state.
    pub entity: Option<View<'a>>,
    /// Its entity before it; `None` where the event is its first.
    pub before: Option<View<'a>>,
}

/// Which rule: the kind that declares it, its name and its part. A copy costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleKey {
    /// The kind that declares it.
    pub owner: KindName,
    /// Its name.
    pub id: Arc<str>,
    /// Its part; mostly empty.
    pub part: Arc<str>,
}

/// The form in which a verdict remembers who found it.
impl fmt::Display for RuleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.owner, self.id, self.part)
    }
}

/// Entities with these values in these fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lookup {
    /// Their kind.
    pub kind: KindName,
    /// Fields (dotted paths; `status`; `nodes[].node_id` for any item) and the value that each has, as text. None
    /// means every entity of the kind.
    pub fields: Vec<(Arc<str>, String)>,
    /// How many at most, the last created first.
    pub most: u32,
}

/// What has to be known before a rule can be judged. All of it is asked at the position of the event, after it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// An entity, by kind and identifier.
    Entity(KindName, String),
    /// Entities by their fields, the last created first.
    Matching(Lookup),
    /// How many there are; `most` does not count.
    Count(Lookup),
    /// The deadlines of an entity, by kind and identifier.
    Deadlines(String, String),
}

/// What is known of other entities at the position of the event, after it.
///
/// `None` means that it was not loaded: judging stops, and says what it needs.
pub trait Known {
    /// An entity; `Some(None)` where it is known that there is none.
    fn entity(&self, kind: &KindName, id: &str) -> Option<Option<View<'_>>>;
    /// Entities by their fields, the last created first, `lookup.most` at most.
    fn matching(&self, lookup: &Lookup) -> Option<Vec<View<'_>>>;
    /// When a rule's deadline about an entity is due, or was when it fired, µs; `Some(None)` where there is none.
    fn due_us(&self, rule: &RuleKey, kind: &str, id: &str, key: &str) -> Option<Option<i64>>;
    /// How many there are.
    fn count(&self, lookup: &Lookup) -> Option<u64>;
    /// Whether something that a rule found about an entity may be open: where nothing is, nothing is said of what holds.
    fn may_be_open(&self, _kind: &str, _id: &str) -> bool {
        true
    }
}

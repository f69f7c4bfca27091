//! The state of one entity, and how an event advances it.

use std::cmp::Ordering;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use hashbrown::{DefaultHashBuilder, Equivalent};
pub use schema::entity::{Before, Entity, Status, Times};
use schema::kind::{EventDef, Kind};
use schema::merge::Changing;
use schema::rule::View;
use serde_json::{Map, Value};

use crate::fact::Fact;
use crate::verdict;

/// Hashes names by a seed of this process's own: an identifier comes from outside.
static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// Which entity. A name is looked up again and again, so it keeps its hash, and all of its text in one place.
#[derive(Debug, Clone)]
pub struct Key {
    hash: u64,
    /// The kind, and the identifier behind it.
    text: Arc<str>,
    /// How long the kind is, in bytes.
    kind: usize,
}

/// The name of an entity, to look it up by.
#[derive(Debug, Clone, Copy)]
pub struct KeyRef<'a> {
    kind: &'a str,
    id: &'a str,
    hash: u64,
}

impl Key {
    /// The entity of a kind (`<package>.<entity>`) with this identifier (CloudEvents `subject`).
    pub fn new(kind: &str, id: &str) -> Self {
        KeyRef::new(kind, id).to_key()
    }

    fn parts(&self) -> (&str, &str) {
        let parts = self.text.split_at_checked(self.kind);
        parts.unwrap_or((&self.text, ""))
    }

    /// `<package>.<entity>`.
    pub fn kind(&self) -> &str {
        self.parts().0
    }

    /// The identifier.
    pub fn id(&self) -> &str {
        self.parts().1
    }

    /// What rules see of the entity that has this name.
    pub fn view<'a>(&'a self, entity: &'a Entity) -> View<'a> {
        View::new(self.kind(), self.id(), entity)
    }

    /// The same, to look it up by.
    pub fn by_ref(&self) -> KeyRef<'_> {
        let (kind, id) = self.parts();
        KeyRef {
            kind,
            id,
            hash: self.hash,
        }
    }
}

impl<'a> KeyRef<'a> {
    /// The entity of a kind with this identifier.
    pub fn new(kind: &'a str, id: &'a str) -> Self {
        let hash = HASHER.hash_one((kind, id));
        Self { kind, id, hash }
    }

    /// `<package>.<entity>`.
    pub fn kind(self) -> &'a str {
        self.kind
    }

    /// The identifier.
    pub fn id(self) -> &'a str {
        self.id
    }

    /// The same, to keep.
    pub fn to_key(self) -> Key {
        Key {
            hash: self.hash,
            text: [self.kind, self.id].concat().into(),
            kind: self.kind.len(),
        }
    }
}

impl PartialEq for KeyRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Mostly it is the same name in the same place, and that need not be read.
        let same = |one: &str, two: &str| std::ptr::eq(one, two) || one == two;
        self.hash == other.hash && same(self.id, other.id) && same(self.kind, other.kind)
    }
}

impl Eq for KeyRef<'_> {}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.by_ref() == other.by_ref()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.by_ref().hash(state);
    }
}

/// By kind, and then by identifier.
impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.by_ref()
    }
}

/// One line of an entity's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The status before the event.
    pub from: Option<String>,
    /// The status after it.
    pub to: Option<String>,
    /// The status that the publisher believed it was in.
    pub claimed: Option<String>,
    /// Whether the lifecycle has this way; `None` where that cannot be judged any more.
    pub legal: Option<bool>,
}

/// A rule of the lifecycle that an event broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: &'static str,
    /// The positions that it was judged from, rising.
    pub judged_from: Vec<u64>,
}

/// What an event did to its entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Advance<'k> {
    /// The state after it; `None` for a kind whose entities have none.
    pub entity: Option<Entity>,
    /// What of that was otherwise before it; `None` for the entity's first event.
    pub before: Option<Before<'k>>,
    /// The line of history.
    pub entry: Entry,
    /// What it broke.
    pub broken: Vec<Broken>,
}

/// Applies an event to the entity that it is about. An illegal event is a fact all the same: the state
/// follows it.
///
/// `kind` is that of the catalog of the event's position. Deleted data changes no attribute; where it would
/// have named the status, the status is unknown until an event gives the next one, and nothing is judged.
pub fn advance<'k>(before: Option<Entity>, fact: &Fact, kind: Option<&'k Kind>) -> Advance<'k> {
    if kind.is_some_and(|kind| kind.stateless) {
        let entry = Entry {
            from: None,
            to: None,
            claimed: None,
            legal: Some(true),
        };
        return Advance {
            entity: None,
            before: None,
            entry,
            broken: Vec::new(),
        };
    }
    let seq = fact.header.seq;
    let existed = before.is_some();
    let times = Times {
        occurred_us: fact.header.occurred_us,
        recorded_us: fact.header.recorded_us,
    };
    let mut entity = before.unwrap_or_else(|| Entity {
        status: Status::None,
        attributes: Map::new(),
        created_seq: seq,
        created: times,
        seq,
        changed: times,
        events: 0,
        redacted_seq: None,
    });
    let (status, entry, broken) = match kind {
        Some(kind) => transition(&entity.status, existed, fact, kind),
        None => unjudged(&entity.status),
    };
    let mut changing = Changing::new(&mut entity.attributes);
    if let Some(kind) = kind {
        let (verb, data) = (fact.event_type.verb(), fact.data.as_ref());
        let data = data.map(|data| &data.value);
        if let Some(data) = data {
            kind.merge(&mut changing, verb, data);
        }
        kind.mark(
            &mut changing,
            verb,
            data,
            &fact.header.actor,
            times.occurred_us,
        );
    }
    let before = Before {
        was: changing.into_was(),
        status: std::mem::replace(&mut entity.status, status),
        seq: std::mem::replace(&mut entity.seq, seq),
        changed: std::mem::replace(&mut entity.changed, times),
        events: entity.events,
        redacted_seq: entity.redacted_seq,
    };
    entity.events += 1;
    if fact.data.is_none() {
        entity.redacted_seq.get_or_insert(seq);
    }
    Advance {
        entity: Some(entity),
        before: existed.then_some(before),
        entry,
        broken,
    }
}

/// At an event of a kind that the catalog does not have.
fn unjudged(status: &Status) -> (Status, Entry, Vec<Broken>) {
    let name = status.name().map(str::to_owned);
    let entry = Entry {
        from: name.clone(),
        to: name,
        claimed: None,
        legal: Some(true),
    };
    (status.clone(), entry, Vec::new())
}

fn transition(
    before: &Status,
    existed: bool,
    fact: &Fact,
    kind: &Kind,
) -> (Status, Entry, Vec<Broken>) {
    let seq = fact.header.seq;
    let verb = fact.event_type.verb();
    let nothing = Value::Null;
    let data = fact.data.as_ref().map_or(&nothing, |data| &data.value);
    let step = kind.step(before.name(), verb, data);
    let hidden = fact.data.is_none() && kind.event(verb).is_some_and(named_by_data);
    let after = match step.to {
        _ if hidden => Status::Unknown { seq },
        Some(name) => Status::Is {
            name,
            seq,
            since_us: fact.header.occurred_us,
            recorded_us: fact.header.recorded_us,
        },
        None => before.clone(),
    };
    let judged = !hidden && !matches!(before, Status::Unknown { .. });
    let mut broken = Vec::new();
    if judged {
        let judged_from = || match before {
            Status::Is {
                seq: status_seq, ..
            } => vec![*status_seq, seq],
            _ => vec![seq],
        };
        if !step.legal {
            broken.push(Broken {
                rule: verdict::ILLEGAL,
                judged_from: judged_from(),
            });
        }
        // An entity that never began is illegal; that its status is not the claimed one says no more.
        let mismatch = step
            .from_claimed
            .as_deref()
            .is_some_and(|from| Some(from) != before.name());
        if existed && mismatch {
            broken.push(Broken {
                rule: verdict::FROM_MISMATCH,
                judged_from: judged_from(),
            });
        }
    }
    let entry = Entry {
        from: before.name().map(str::to_owned),
        to: after.name().map(str::to_owned),
        claimed: step.from_claimed,
        legal: judged.then_some(step.legal),
    };
    (after, entry, broken)
}

/// Whether the status that an event leads to, or the one that it claims, stands in its data.
fn named_by_data(event: &EventDef) -> bool {
    event.to_field.is_some()
}

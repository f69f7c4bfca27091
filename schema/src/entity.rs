//! The state of one entity, and what an event changed of it.

use serde_json::{Map, Value};

use crate::merge::{self, Was};

/// What is known of the status of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Status {
    /// No event has given it one.
    #[default]
    None,
    /// It is in this one.
    Is {
        /// The status.
        name: String,
        /// The position that led to it.
        seq: u64,
        /// When it began, by that event's word, in µs.
        since_us: i64,
        /// When that event was recorded, in µs.
        recorded_us: i64,
    },
    /// The event that led to it was deleted before this fold saw it.
    Unknown {
        /// The position of that event.
        seq: u64,
    },
}

impl Status {
    /// Its name, where it is known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Is { name, .. } => Some(name),
            Self::None | Self::Unknown { .. } => None,
        }
    }
}

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// By its own word, in µs.
    pub occurred_us: i64,
    /// When it was recorded, in µs.
    pub recorded_us: i64,
}

/// The state of an entity after its last event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entity {
    /// Its status.
    pub status: Status,
    /// Its fields: every event's merged into those before (RFC 7396).
    pub attributes: Map<String, Value>,
    /// The position of its first event.
    pub created_seq: u64,
    /// When that happened.
    pub created: Times,
    /// The position of its last event.
    pub seq: u64,
    /// When that happened.
    pub changed: Times,
    /// How many events it has.
    pub events: u64,
    /// The first of them whose data was deleted before this fold saw it: attributes may be missing from there on.
    pub redacted_seq: Option<u64>,
}

/// What an event changed of an entity, as it was before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Before<'k> {
    /// Its status then.
    pub status: Status,
    /// What of its fields was otherwise.
    pub was: Was<'k>,
    /// The position of its last event then.
    pub seq: u64,
    /// When that happened.
    pub changed: Times,
    /// How many events it had.
    pub events: u64,
    /// The first of those whose data was deleted.
    pub redacted_seq: Option<u64>,
}

impl Before<'_> {
    /// The entity as it was, by what it is now.
    #[must_use]
    pub fn take_back(self, mut now: Entity) -> Entity {
        merge::take_back(&mut now.attributes, self.was);
        Entity {
            status: self.status,
            seq: self.seq,
            changed: self.changed,
            events: self.events,
            redacted_seq: self.redacted_seq,
            ..now
        }
    }
}

/// What rules see of an entity: as an event left it, or as it was before that. Nothing of it is read until somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// `<package>.<entity>`.
    pub kind: &'a str,
    /// Its identifier.
    pub id: &'a str,
    entity: &'a Entity,
    before: Option<&'a Before<'a>>,
}

impl<'a> View<'a> {
    /// An entity of a kind (`<package>.<entity>`), with its identifier.
    pub fn new(kind: &'a str, id: &'a str, entity: &'a Entity) -> Self {
        Self {
            kind,
            id,
            entity,
            before: None,
        }
    }

    /// The same as it was before an event that changed it.
    #[must_use]
    pub fn at(self, before: &'a Before<'a>) -> Self {
        Self {
            before: Some(before),
            ..self
        }
    }

    fn known(&self) -> &'a Status {
        self.before
            .map_or(&self.entity.status, |before| &before.status)
    }

    /// Its status, where it has one that is known.
    pub fn status(&self) -> Option<&'a str> {
        self.known().name()
    }

    /// The position that led to its status; 0 where it has none.
    pub fn since_seq(&self) -> u64 {
        match self.known() {
            Status::None => 0,
            Status::Is { seq, .. } | Status::Unknown { seq } => *seq,
        }
    }

    /// When its status began; 1970 where that is not known.
    pub fn since(&self) -> Times {
        match self.known() {
            Status::Is {
                since_us,
                recorded_us,
                ..
            } => Times {
                occurred_us: *since_us,
                recorded_us: *recorded_us,
            },
            Status::None | Status::Unknown { .. } => Times::default(),
        }
    }

    /// One of its fields.
    pub fn field(&self, name: &str) -> Option<&'a Value> {
        let mut was = self.before.iter().flat_map(|before| &before.was);
        let was = was.find(|(changed, _)| *changed == name);
        was.map(|(_, value)| value)
            .or_else(|| self.entity.attributes.get(name))
    }

    /// All its fields, as the event left them.
    pub fn attributes(&self) -> &'a Map<String, Value> {
        &self.entity.attributes
    }

    /// The position of its first event.
    pub fn created_seq(&self) -> u64 {
        self.entity.created_seq
    }

    /// When that happened.
    pub fn created(&self) -> Times {
        self.entity.created
    }

    /// The position of its last event.
    pub fn seq(&self) -> u64 {
        self.before.map_or(self.entity.seq, |before| before.seq)
    }

    /// When that happened.
    pub fn changed(&self) -> Times {
        self.before
            .map_or(self.entity.changed, |before| before.changed)
    }

    /// Whether data of one of its events was deleted, so that fields may be missing.
    pub fn redacted(&self) -> bool {
        let first = self
            .before
            .map_or(self.entity.redacted_seq, |before| before.redacted_seq);
        first.is_some()
    }
}

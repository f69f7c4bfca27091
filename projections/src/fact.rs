//! One position of the chain, read for folding.

use bytes::Bytes;
use hashbrown::HashMap;
use ledger::digest::Hash;
use ledger::{Header, Record};
use schema::EventType;
use serde_json::Value;

use crate::entity::Key;
use crate::incident;
use crate::verdict::{self, Cleared};

/// A position whose data was parsed once, for everything that looks at it.
#[derive(Debug, Clone)]
pub struct Fact {
    /// The event's header.
    pub header: Header,
    /// The chain's value after it.
    pub chain: Hash,
    /// Its type, parsed.
    pub event_type: EventType,
    /// The entity that it is about; `None` for events about no entity (an empty subject).
    pub key: Option<Key>,
    /// Its data; `None` where it was deleted.
    pub data: Option<Data>,
}

/// An event's data: what was received, and what it says.
#[derive(Debug, Clone)]
pub struct Data {
    /// The bytes as received.
    pub bytes: Bytes,
    /// The object that they are.
    pub value: Value,
}

/// A record that no version of this program could have appended.
#[derive(Debug, thiserror::Error)]
#[error(
    "position {seq} cannot be read: {what}. Run `ledger verify`: the database was changed, or is damaged"
)]
pub struct Unreadable {
    seq: u64,
    what: String,
}

fn parsed(header: &Header) -> Result<EventType, Unreadable> {
    EventType::parse(&header.event_type).ok_or_else(|| Unreadable {
        seq: header.seq,
        what: format!("{:?} is no type", header.event_type),
    })
}

impl Fact {
    /// Reads a record.
    pub fn read(record: Record) -> Result<Self, Unreadable> {
        let event_type = parsed(&record.header)?;
        Self::of(record, event_type)
    }

    /// Reads records. They are of few types, each of which is parsed once.
    pub fn read_all(records: Vec<Record>) -> Result<Vec<Self>, Unreadable> {
        let mut types: HashMap<String, EventType> = HashMap::new();
        let read = |record: Record| {
            let text = &record.header.event_type;
            let event_type = if let Some(known) = types.get(text) {
                known.clone()
            } else {
                let parsed = parsed(&record.header)?;
                types.insert(text.clone(), parsed.clone());
                parsed
            };
            Self::of(record, event_type)
        };
        records.into_iter().map(read).collect()
    }

    fn of(record: Record, event_type: EventType) -> Result<Self, Unreadable> {
        let Record {
            header,
            chain,
            body,
            ..
        } = record;
        let unreadable = |what: String| Unreadable {
            seq: header.seq,
            what,
        };
        let data = match body {
            None => None,
            Some(body) => {
                let value = serde_json::from_slice(&body.data)
                    .map_err(|error| unreadable(format!("its data is not JSON: {error}")))?;
                Some(Data {
                    bytes: body.data,
                    value,
                })
            }
        };
        let subject = Some(&header.subject).filter(|subject| !subject.is_empty());
        let key = subject.map(|subject| Key::new(event_type.kind().text(), subject));
        Ok(Self {
            header,
            chain,
            event_type,
            key,
            data,
        })
    }

    /// True for an event of package `ledger` with this entity and verb.
    pub fn is_own(&self, entity: &str, verb: &str) -> bool {
        let kind = self.event_type.kind();
        kind.package.as_str() == "ledger"
            && kind.entity.as_str() == entity
            && self.event_type.verb().as_str() == verb
    }

    /// True for what the ledger alone says and what must follow from the chain, verdicts aside: incidents and tasks, and
    /// everything that it publishes of other packages.
    pub fn follows(&self) -> bool {
        if self.header.publisher != "ledger" {
            return false;
        }
        let kind = self.event_type.kind();
        kind.package.as_str() != "ledger" || matches!(kind.entity.as_str(), "incident" | "task")
    }

    /// The entity that an event of the ledger's own is about, as far as it says so itself.
    pub fn about(&self) -> Option<Key> {
        if self.event_type.kind().package.as_str() != "ledger" {
            return self.key.clone();
        }
        Some(Key::new(self.text("kind")?, self.text("id")?))
    }

    /// The incident that an event is about which tells of one.
    pub fn incident(&self) -> Option<&str> {
        let kind = self.event_type.kind();
        let tells = kind.package.as_str() == "ledger" && kind.entity.as_str() == incident::ENTITY;
        // The subject says it too, and stays when the data are deleted.
        let named = || self.text("incident").unwrap_or(&self.header.subject);
        tells.then(named)
    }

    /// A member of the data that is a count.
    pub fn number(&self, member: &str) -> Option<u64> {
        self.data.as_ref()?.value.get(member)?.as_u64()
    }

    /// A member of the data that is a text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.data.as_ref()?.value.get(member)?.as_str()
    }

    /// The verdict that came back with this event, raised or cleared: its id, and the entity that it says it is about.
    pub fn returned(&self) -> Option<(&str, Option<Key>)> {
        let about = || {
            let (kind, id) = self.header.subject.split_once('/')?;
            (!id.is_empty()).then(|| Key::new(kind, id))
        };
        if self.is_own(verdict::ENTITY, "raised") {
            return Some((&self.header.id, about()));
        }
        if self.is_own(verdict::ENTITY, "cleared") {
            let named = Cleared::violation_of(&self.header.id);
            return Some((named.or_else(|| self.text("violation"))?, about()));
        }
        None
    }
}

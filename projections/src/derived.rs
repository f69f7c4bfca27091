//! Events that follow from the chain and are no verdicts: incidents, tasks, and what rules have the ledger publish.
//!
//! Each has an id that follows from its cause, and bytes that are the same whenever it is made. So deriving it again
//! gives the same event, sending it twice is a duplicate, and the one that comes back can be compared.

use ledger::digest::{self, Hash};
use schema::LedgerName;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fact::Fact;
use crate::verdict::{Outgoing, canonical, outgoing};

/// One event that the ledger is to publish by the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The position that it follows from.
    pub cause_seq: u64,
    /// `<package>.<entity>.<verb>`.
    pub event_type: String,
    /// The `CloudEvents` `id`; no other derived event has it.
    pub id: String,
    /// The entity that it is about.
    pub subject: String,
    /// Attributes of the context, by name; mostly none.
    pub context: Map<String, Value>,
    /// The data in RFC 8785 form.
    pub data: Vec<u8>,
}

impl Derived {
    /// An event without context. `data` holds texts, integers and what `serde_json` made, nothing else.
    pub fn new(
        cause_seq: u64,
        event_type: impl Into<String>,
        id: impl Into<String>,
        subject: impl Into<String>,
        data: &impl Serialize,
    ) -> Self {
        Self {
            cause_seq,
            event_type: event_type.into(),
            id: id.into(),
            subject: subject.into(),
            context: Map::new(),
            data: canonical(data),
        }
    }

    /// What is remembered of it, to be compared with what comes back.
    pub fn digest(&self) -> Hash {
        let context = if self.context.is_empty() {
            Vec::new()
        } else {
            canonical(&self.context)
        };
        digest::derived(&self.event_type, &self.subject, &context, &self.data)
    }

    /// The event in structured mode.
    pub fn message(&self, ledger: &LedgerName) -> Outgoing {
        let Self {
            event_type,
            id,
            subject,
            context,
            data,
            ..
        } = self;
        outgoing(ledger, event_type, id, subject, context, data)
    }
}

/// An event that is expected back, or was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The position that it follows from; its own where that is not known any more.
    pub cause_seq: u64,
    /// Where it stands in the chain; `None` while it is on its way.
    pub seq: Option<u64>,
    /// Type, subject, context and data.
    pub digest: Hash,
}

/// The same of an event of the chain; `None` where its data was deleted, and nothing can be compared.
pub(crate) fn digest_of(fact: &Fact) -> Option<Hash> {
    let header = &fact.header;
    let data = fact.data.as_ref()?;
    let context = header.context.as_bytes();
    Some(digest::derived(
        &header.event_type,
        &header.subject,
        context,
        &data.bytes,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_the_same_whenever_it_is_made() {
        let main = LedgerName::new("main").expect("legal");
        let mut one = Derived::new(
            7,
            "ledger.task.opened",
            "t1",
            "t1",
            &serde_json::json!({ "task": "t1", "class": "follow_up" }),
        );
        let plain = one.digest();
        one.context
            .insert("causationid".to_owned(), Value::from("e1"));
        let message = one.message(&main);
        assert_eq!(message, one.message(&main));
        assert_eq!(
            message.subject,
            "ledger.main.ingest.ledger.ledger.task.opened"
        );
        let value: Value = serde_json::from_slice(&message.body).expect("JSON");
        assert_eq!(value["causationid"], "e1");
        assert_eq!(value["type"], "ledger.task.opened");
        assert_eq!(value["source"], "ledger://main");
        assert_ne!(one.digest(), plain, "the context is compared, too");
    }
}

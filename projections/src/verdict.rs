//! Verdicts: what they say, how they are called, and the message that brings one into the chain.

use ledger::digest;
use schema::LedgerName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entity::{Key, KeyRef};

/// The rule that data is not deleted which must be kept.
pub const BLOCKED: &str = "retention.blocked";

/// The entity of package `ledger` whose events verdicts are.
pub const ENTITY: &str = "violation";
const RAISED: &str = "ledger.violation.raised";
const CLEARED: &str = "ledger.violation.cleared";
/// A transition that the lifecycle does not have.
pub const ILLEGAL: &str = "transition.illegal";
/// The publisher believed the entity in another status than it was in.
pub const FROM_MISMATCH: &str = "transition.from_mismatch";
/// A verdict in the chain that does not follow from the chain.
pub const UNEXPECTED: &str = "verdict.unexpected";

/// The data of `ledger.violation.raised`. The message in words is rendered when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule that was broken.
    pub rule: String,
    /// `info`, `warning`, `error` or `critical`.
    pub severity: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity's identifier.
    pub id: String,
    /// The position of the event that broke the rule.
    pub cause_seq: u64,
    /// The positions that it was judged from, rising.
    pub judged_from: Vec<u64>,
    /// The digest of the catalog that judged.
    pub catalog: String,
    /// Tells verdicts of one rule and cause apart; a stable word, never free text.
    pub detail_key: String,
}

impl Verdict {
    /// Its id: hex of `H("verdict", …)`.
    pub fn violation(&self) -> String {
        hex::encode(digest::verdict_id(
            &self.rule,
            &self.kind,
            &self.id,
            self.cause_seq,
            &self.detail_key,
        ))
    }

    /// The data in RFC 8785 form.
    pub fn data(&self) -> Vec<u8> {
        canonical(self)
    }

    /// What it is about, to look it up by.
    pub fn about(&self) -> KeyRef<'_> {
        KeyRef::new(&self.kind, &self.id)
    }

    /// The entity that it is about.
    pub fn key(&self) -> Key {
        Key::new(self.kind.as_str(), self.id.as_str())
    }

    /// The `subject` of its event: the entity that it is about.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// The event in structured mode. Its bytes are the same whenever it is made, so that sending it
    /// twice is a duplicate and nothing else.
    pub fn message(&self, ledger: &LedgerName) -> Outgoing {
        let (id, data) = (self.violation(), self.data());
        let nothing = Map::new();
        outgoing(ledger, RAISED, &id, &self.subject(), &nothing, &data)
    }
}

/// How a verdict ceased to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// What was wrong is right again.
    Mended,
    /// Somebody who may has excused it beforehand.
    Overridden,
    /// Nobody wants to hear of it for a while.
    Silenced,
}

impl How {
    /// The word for it, as data and views have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mended => "mended",
            Self::Overridden => "overridden",
            Self::Silenced => "silenced",
        }
    }

    /// The status of a verdict that ceased to hold like this.
    pub fn status(self) -> &'static str {
        match self {
            Self::Mended | Self::Silenced => "cleared",
            Self::Overridden => "overridden",
        }
    }
}

impl std::str::FromStr for How {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Self::Mended, Self::Overridden, Self::Silenced];
        all.into_iter().find(|how| how.as_str() == text).ok_or(())
    }
}

/// The data of `ledger.violation.cleared`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleared {
    /// The verdict's id.
    pub violation: String,
    /// The position of the event that cleared it; of an override, that of its last event.
    pub by_seq: u64,
    /// How.
    pub how: How,
}

impl Cleared {
    /// The id of its event. A verdict is cleared once at most.
    pub fn id(&self) -> String {
        format!("{}.cleared", self.violation)
    }

    /// The verdict that an event of that id clears.
    pub fn violation_of(id: &str) -> Option<&str> {
        id.strip_suffix(".cleared")
    }

    /// The data in RFC 8785 form.
    pub fn data(&self) -> Vec<u8> {
        canonical(self)
    }

    /// The event in structured mode; `verdict` is the one that is cleared.
    pub fn message(&self, verdict: &Verdict, ledger: &LedgerName) -> Outgoing {
        let (id, data) = (self.id(), self.data());
        let nothing = Map::new();
        outgoing(ledger, CLEARED, &id, &verdict.subject(), &nothing, &data)
    }
}

pub(crate) fn canonical(data: &impl Serialize) -> Vec<u8> {
    let canonical = serde_json_canonicalizer::to_vec(data);
    canonical.unwrap_or_else(|_| unreachable!("texts and integers have a canonical form"))
}

/// An event of the ledger's own in structured mode; `data` is in RFC 8785 form.
pub(crate) fn outgoing(
    ledger: &LedgerName,
    event_type: &str,
    id: &str,
    subject: &str,
    context: &Map<String, Value>,
    data: &[u8],
) -> Outgoing {
    let mut event = context.clone();
    let mut set = |name: &str, value: String| event.insert(name.to_owned(), Value::String(value));
    set("specversion", "1.0".to_owned());
    set("id", id.to_owned());
    set("source", ledger.source());
    set("type", event_type.to_owned());
    set("subject", subject.to_owned());
    set("datacontenttype", "application/json".to_owned());
    let mut body = Value::Object(event).to_string().into_bytes();
    // `data` is kept as received: its exact bytes are put in, not a value to be written again.
    body.pop();
    body.extend_from_slice(b",\"data\":");
    body.extend_from_slice(data);
    body.push(b'}');
    Outgoing {
        subject: format!("ledger.{ledger}.ingest.ledger.{event_type}"),
        id: id.to_owned(),
        body,
    }
}

/// A message for the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The NATS subject.
    pub subject: String,
    /// The CloudEvents `id`.
    pub id: String,
    /// The event in structured mode.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            rule: ILLEGAL.to_owned(),
            severity: "error".to_owned(),
            kind: "platform.environment".to_owned(),
            id: "stag\"ing".to_owned(),
            cause_seq: 41,
            judged_from: vec![38, 41],
            catalog: "c".repeat(64),
            detail_key: String::new(),
        }
    }

    #[test]
    fn the_data_is_canonical_and_reads_back() {
        let text = String::from_utf8(verdict().data()).expect("UTF-8");
        assert!(text.starts_with(r#"{"catalog":"cccc"#), "{text}");
        assert!(text.contains(r#""judged_from":[38,41]"#), "{text}");
        assert_eq!(
            serde_json::from_str::<Verdict>(&text).expect("reads back"),
            verdict()
        );
    }

    #[test]
    fn the_message_carries_the_exact_data() {
        let main = LedgerName::new("main").expect("legal");
        let message = verdict().message(&main);
        assert_eq!(message, verdict().message(&main));
        assert_eq!(
            message.subject,
            "ledger.main.ingest.ledger.ledger.violation.raised"
        );
        assert_eq!(message.id, verdict().violation());
        let value: Value = serde_json::from_slice(&message.body).expect("JSON");
        assert_eq!(value["subject"], "platform.environment/stag\"ing");
        assert_eq!(value["source"], "ledger://main");
        assert_eq!(value["data"]["cause_seq"], 41);
        let text = String::from_utf8(message.body).expect("UTF-8");
        let data = String::from_utf8(verdict().data()).expect("UTF-8");
        assert!(text.ends_with(&format!("\"data\":{data}}}")), "{text}");
    }
}

//! Incidents: one of a class about an entity while it is open, with all its causes.
//!
//! An incident opens at the position of its first cause, and rules resolve it at the position of what mended it. The
//! events that say so follow. What people decide, they publish: that counts where it stands.

use ledger::digest;
use serde_json::{Value, json};

use crate::derived::Derived;
use crate::entity::{Key, KeyRef};

/// The entity of package `ledger` whose events tell of incidents.
pub const ENTITY: &str = "incident";
/// How an incident ended that a rule resolved.
pub const MENDED: &str = "mended";
/// How an incident ended of whose class the active catalog has no rule any more.
pub const LET_GO: &str = "let_go";

/// One incident, as far as it is known at a position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incident {
    /// Its id: hex of `H("incident", …)`.
    pub incident: String,
    /// Its class.
    pub class: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity's identifier.
    pub id: String,
    /// `info`, `warning`, `error` or `critical`: as bad as its first cause.
    pub severity: String,
    /// The rule that opened it; empty where none did.
    pub rule: String,
    /// Whether it was derived here. Where not, its facts were deleted before this fold saw them.
    pub judged: bool,
    /// The position of its first cause.
    pub opened_seq: u64,
    /// When that was recorded, in µs.
    pub opened_us: i64,
    /// The position of its last cause.
    pub last_cause: u64,
    /// The incident of the same class about the same entity before it.
    pub reopens: Option<String>,
    /// Who first said that they look after it.
    pub acknowledged: Option<Word>,
    /// What ended it.
    pub resolved: Option<Word>,
}

/// What somebody, or a rule, made of an incident.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    /// The position of their event; of a rule, that of what mended it.
    pub seq: u64,
    /// When that was recorded, in µs.
    pub at_us: i64,
    /// Who acted; `None` where a rule did.
    pub by: Option<String>,
}

impl Incident {
    /// The entity that it is about, to look it up by.
    pub fn about(&self) -> KeyRef<'_> {
        KeyRef::new(&self.kind, &self.id)
    }

    /// The entity that it is about.
    pub fn key(&self) -> Key {
        Key::new(self.kind.as_str(), self.id.as_str())
    }

    /// Whether it still is one.
    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    /// `open`, `acknowledged` or `resolved`.
    pub fn status(&self) -> &'static str {
        match (&self.acknowledged, &self.resolved) {
            (_, Some(_)) => "resolved",
            (Some(_), None) => "acknowledged",
            (None, None) => "open",
        }
    }

    /// Its id, from what it is about and its first cause.
    pub fn id_of(class: &str, kind: &str, id: &str, cause_seq: u64) -> String {
        hex::encode(digest::incident_id(class, kind, id, cause_seq))
    }

    /// The event that says that it opened.
    pub fn opened(&self) -> Derived {
        let data = json!({
            "incident": self.incident, "class": self.class, "severity": self.severity, "kind": self.kind, "id": self.id,
            "causes": [self.opened_seq], "reopens": self.reopens,
        });
        let mut event = self.event("opened", self.opened_seq, self.incident.clone(), &data);
        if let Some(before) = &self.reopens {
            let name = "causationid".to_owned();
            event.context.insert(name, Value::from(before.as_str()));
        }
        event
    }

    /// The event that says that it has one more cause.
    pub fn cause_added(&self, cause_seq: u64) -> Derived {
        let data = json!({ "incident": self.incident, "cause_seq": cause_seq });
        let id = format!("{}.cause.{cause_seq}", self.incident);
        self.event("cause_added", cause_seq, id, &data)
    }

    /// The event that says that a rule resolved it.
    pub fn resolved_by(&self, how: &str, by_seq: u64) -> Derived {
        let data = json!({ "incident": self.incident, "how": how, "by_seq": by_seq });
        let id = format!("{}.resolved", self.incident);
        self.event("resolved", by_seq, id, &data)
    }

    fn event(&self, verb: &str, cause_seq: u64, id: String, data: &Value) -> Derived {
        let event_type = format!("ledger.{ENTITY}.{verb}");
        Derived::new(cause_seq, event_type, id, self.incident.clone(), data)
    }
}

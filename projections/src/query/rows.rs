//! The shapes of answers. Their keys are a contract with scripts; times are RFC 3339 UTC.

use std::fmt;
use std::str::FromStr;

use schema::time::format_us;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::entity::{Entity, Key, Status};
use crate::query::redaction::Redaction;

/// The state of one entity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StateRow {
    /// `<package>.<entity>`.
    pub kind: String,
    /// The entity's identifier.
    pub id: String,
    /// Its status; `null` where it has none or it is not known.
    pub status: Option<String>,
    /// Its fields.
    pub attributes: Map<String, Value>,
    /// The position of its last event.
    pub seq: u64,
    /// When its status began, by the word of the event that led to it.
    pub since: Option<String>,
    /// The position of the event that led to its status.
    pub status_seq: Option<u64>,
    /// The position of its first event.
    pub created_seq: u64,
    /// How many events it has.
    pub events: u64,
    /// Whether data of its events was deleted, so that attributes may be missing.
    pub redacted: bool,
    /// The first of those events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redacted_seq: Option<u64>,
    /// Why its data is gone, and by which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
}

impl StateRow {
    pub(super) fn new(key: &Key, entity: Entity) -> Self {
        let (status, status_seq, since) = match entity.status {
            Status::Is {
                name,
                seq,
                since_us,
                ..
            } => (Some(name), Some(seq), Some(format_us(since_us))),
            Status::None | Status::Unknown { .. } => (None, None, None),
        };
        Self {
            kind: key.kind().to_owned(),
            id: key.id().to_owned(),
            status,
            attributes: entity.attributes,
            seq: entity.seq,
            since,
            status_seq,
            created_seq: entity.created_seq,
            events: entity.events,
            redacted: entity.redacted_seq.is_some(),
            redacted_seq: entity.redacted_seq,
            redaction: None,
        }
    }
}

/// One event of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// The position.
    pub seq: u64,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The status before it.
    pub from: Option<String>,
    /// The status after it.
    pub to: Option<String>,
    /// The status that the publisher believed it was in, where the event says so.
    pub claimed_from: Option<String>,
    /// When it happened, by the publisher's word.
    pub occurred_at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// Who acted.
    pub actor: String,
    /// Whether the lifecycle has this way; `null` where that cannot be judged any more.
    pub legal: Option<bool>,
    /// Whether its data was deleted.
    pub redacted: bool,
    /// Why, and by which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<Redaction>,
}

/// What became of a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ViolationStatus {
    /// Nothing yet.
    Open,
    /// It was mended, or its rule was silenced.
    Cleared,
    /// Somebody who may do so let it pass.
    Overridden,
}

impl ViolationStatus {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Cleared => "cleared",
            Self::Overridden => "overridden",
        }
    }
}

impl fmt::Display for ViolationStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ViolationStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Cleared, Self::Overridden]
            .into_iter()
            .find(|one| one.as_str() == text)
            .ok_or_else(|| {
                format!("{text:?} is no status of a violation: open, cleared or overridden")
            })
    }
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViolationRow {
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
    /// Where the verdict stands in the chain; `null` while it is on its way.
    pub seq: Option<u64>,
    /// What is wrong, in words.
    pub message: String,
    /// What became of it.
    pub status: ViolationStatus,
    /// Where it is not open: `mended`, `overridden` or `silenced`.
    pub how: Option<String>,
    /// The position that cleared it: of what mended it, of the override, of the silence.
    pub by_seq: Option<u64>,
    /// The verdict's own identifier.
    pub violation: String,
    /// The positions that it was judged from.
    pub judged_from: Vec<u64>,
    /// The digest of the catalog that judged.
    pub catalog: String,
    /// Tells verdicts of one rule and cause apart.
    pub detail_key: String,
    /// False where the facts were deleted before the views were made: it is taken as it came.
    pub judged: bool,
    /// When the cause happened, by its publisher's word.
    pub occurred_at: Option<String>,
    /// When the cause was recorded.
    pub recorded_at: Option<String>,
    /// Who acted.
    pub actor: Option<String>,
}

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    /// The position.
    pub seq: u64,
    /// The reason's stable name; `redacted` where the event's data was deleted.
    pub reason: String,
    /// What is wrong, in words.
    pub detail: String,
    /// Who sent it; empty where the NATS subject named nobody legal.
    pub publisher: String,
    /// When it was recorded.
    pub received_at: String,
    /// The attribute or the JSON pointer that the reason is about; may be empty.
    pub at: String,
    /// The NATS subject that it came by.
    pub nats_subject: Option<String>,
    /// The size of its body in bytes.
    pub size: Option<u64>,
    /// Its number in its stream.
    pub stream_seq: u64,
}

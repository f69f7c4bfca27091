//! A scenario as its file has it.

use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub about: String,
    #[serde(default)]
    pub settings: Map<String, Value>,
    #[serde(default)]
    pub given: Vec<Step>,
    pub when: Vec<Step>,
    #[serde(default)]
    pub then: Then,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(rename = "type", default = "tick")]
    pub event_type: String,
    #[serde(default)]
    pub subject: String,
    /// Changes of the event's example (JSON merge patch).
    #[serde(default)]
    pub with: Map<String, Value>,
    /// Its data, instead.
    pub data: Option<Map<String, Value>>,
    /// How long after the event before it is recorded.
    pub after: Option<String>,
    /// When it is recorded, instead.
    pub at: Option<String>,
    /// The claimed time; when it is recorded where nothing is said.
    pub time: Option<String>,
    #[serde(default = "publisher")]
    pub publisher: String,
    #[serde(default = "actor")]
    pub actor: String,
    #[serde(default = "source")]
    pub source: String,
    #[serde(default)]
    pub context: Map<String, Value>,
}

pub fn tick() -> String {
    "ledger.beat.ticked".to_owned()
}

pub fn publisher() -> String {
    "ci".to_owned()
}

pub fn actor() -> String {
    "cleo@example.org".to_owned()
}

pub fn source() -> String {
    "//ci.example/runs".to_owned()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// `rule severity`, `rule severity key`.
    #[serde(default)]
    pub raised: Vec<String>,
    #[serde(default)]
    pub overridden: Vec<String>,
    #[serde(default)]
    pub not_raised: Vec<String>,
    #[serde(default)]
    pub cleared: Vec<String>,
    #[serde(default)]
    pub not_cleared: Vec<String>,
    /// `class severity`.
    #[serde(default)]
    pub opened: Vec<String>,
    #[serde(default)]
    pub not_opened: Vec<String>,
    #[serde(default)]
    pub resolved: Vec<String>,
    #[serde(default)]
    pub tasks: Vec<String>,
    #[serde(default)]
    pub emitted: Vec<String>,
    /// Why the last event is refused at the door.
    pub refused: Option<String>,
}

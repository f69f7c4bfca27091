//! The law of the kinds: what rules demand, judged purely at the position of an event.
//!
//! A kind file declares its rules (`declare`); a catalog compiles those of all its kinds at once (`compile`), since a
//! rule may speak of other kinds and of settings; `judge` says what an event broke, or what it has to know of other
//! entities first. Nothing here has a clock, and no condition runs on without an end.

mod authorities;
mod compile;
mod compiled;
mod conditions;
mod deadlines;
mod declare;
mod demands;
pub mod describe;
mod finds;
pub(crate) mod hints;
mod inputs;
mod judge;
mod judging;
mod named;
mod opening;
pub mod publisher;
mod rules;
mod settings;
mod shape;
pub mod silence;
mod when;
mod words;
mod world;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub(crate) use authorities::Authorities;
pub use compiled::Compiled;
pub use declare::{
    By, Condition, Deadline, Each, Emit, Find, Incident, On, Opening, Outcome, Precedes, Resolve,
    Rule, Shape, Task, Whom,
};
pub use inputs::{Event, Inputs, Known, Lookup, Need, RuleKey};
pub use judge::{
    Armed, Arrived, Due, Emitted, Finding, Held, Judged, NOT_AUTHORIZED, NOT_JUDGED, Opened,
    Resolved, Step, TaskOpened, Violation,
};
pub use rules::Rules;
pub use settings::{Holds, Setting, Settings};
pub use words::{Law, Said, Words};
pub(crate) use world::Entity;
pub use world::{Told, World};

use crate::indexed::Path;

pub use crate::cel::{BUDGET, Failure, View, parse_span_us};

/// The rule that a step breaks which the lifecycle does not have.
pub const ILLEGAL: &str = "transition.illegal";

/// The rule that an event breaks whose publisher believed the entity in another status than it was in.
pub const FROM_MISMATCH: &str = "transition.from_mismatch";

/// What the ledger itself raises, and no rule of a file may be called.
pub(crate) const OWN: [&str; 7] = [
    ILLEGAL,
    FROM_MISMATCH,
    NOT_JUDGED,
    publisher::GAP,
    publisher::SILENT,
    "verdict.unexpected",
    "retention.blocked",
];

/// How many entities a look-up gives at most.
pub const MOST_FOUND: u32 = 1000;

/// How many items of a list a rule judges each on its own, and so how many findings it has at most on one event.
pub const MOST_ITEMS: usize = 256;

/// The values at a dotted path (`nodes[].node_id`) of an entity's attributes, as an index keeps them.
pub(crate) fn index_values(attributes: &Map<String, Value>, path: &str) -> Vec<String> {
    let Some(path) = Path::parse(path) else {
        return Vec::new();
    };
    let values = path.values(attributes).into_iter();
    values.map(Cow::into_owned).collect()
}

/// The beginning of a condition, for messages.
pub(crate) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 80 {
        return line;
    }
    line.chars().take(77).chain("…".chars()).collect()
}

//! A step of an entity's lifecycle, judged against its edges. Pure: the projection follows the fact
//! whatever is said of it here.

use serde_json::Value;

use crate::kind::{Kind, Lifecycle};
use crate::name::Name;

/// What an event does to an entity's status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// The status that the entity is in afterwards; `None` where the event says nothing about it.
    pub to: Option<String>,
    /// Whether the lifecycle has this step. Always so where steps are not judged.
    pub legal: bool,
    /// The status that the publisher believes the entity was in, where the event says so.
    pub from_claimed: Option<String>,
}

impl Kind {
    /// The step that an event makes from a status; `None` is an entity that was never created.
    ///
    /// Illegal in a judged lifecycle: a way that is not an edge (a second creation among them), anything at all
    /// in a terminal state, and an event on an entity never created, unless it creates.
    /// Whether `from_claimed` is true is judged by whoever calls.
    pub fn step(&self, status: Option<&str>, verb: &Name, data: &Value) -> Step {
        let Some(event) = self.event(verb) else {
            return Step {
                legal: true,
                ..Step::default()
            };
        };
        let named = |field: &Option<String>| match data.get(field.as_deref()?)? {
            Value::String(state) => Some(state.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        let to = named(&event.to_field).or_else(|| event.to.clone());
        let legal = self.lifecycle.as_ref().is_none_or(|lifecycle| {
            !lifecycle.judged || lifecycle.allows(status, event.creates, to.as_deref())
        });
        Step {
            to,
            legal,
            from_claimed: named(&event.from_field),
        }
    }
}

impl Lifecycle {
    fn allows(&self, status: Option<&str>, creates: bool, to: Option<&str>) -> bool {
        match (status, to) {
            (None, Some(to)) => creates && self.start.iter().any(|start| start == to),
            (None, None) => creates,
            (Some(from), Some(to)) => self
                .edges
                .iter()
                .any(|edge| edge.from == from && edge.to == to),
            (Some(from), None) => !self.is_terminal(from),
        }
    }

    /// Whether nothing may happen after this status.
    pub fn is_terminal(&self, status: &str) -> bool {
        self.states
            .iter()
            .any(|state| state.terminal && state.name == status)
    }
}

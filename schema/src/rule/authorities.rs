//! Which publisher may publish which types: the setting `authorities`.
//!
//! `{"platform.drift_report.recorded": ["drift"], "cluster.*": ["ansible", "ci"]}`: of the patterns that meet a type,
//! the longest decides. What no pattern meets, anyone may publish. A breach is recorded like any fact; the verdict
//! `publisher.not_authorized` speaks of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::kind::Kind;
use crate::name::{KindName, Name};

/// Who may publish what.
#[derive(Debug, Clone, Default)]
pub struct Authorities {
    /// Patterns without their `*`, whether they had one, and who may; the longest first.
    patterns: Vec<(String, bool, Vec<String>)>,
}

impl Authorities {
    pub(crate) fn of(
        settings: &Value,
        kinds: &BTreeMap<KindName, Kind>,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut wrong = |message: String, mend: &str| {
            found.push(Diagnostic::new("settings", 1, message, mend));
        };
        let mut patterns = Vec::new();
        let members = match settings.get("authorities") {
            None => return Self::default(),
            Some(Value::Object(members)) => members,
            Some(_) => {
                wrong("`authorities` is no object".to_owned(), "write a table");
                return Self::default();
            }
        };
        for (pattern, publishers) in members {
            let start = pattern.strip_suffix('*').unwrap_or(pattern);
            let open = start.len() < pattern.len();
            let mut types = kinds.values().flat_map(|kind| {
                kind.events
                    .iter()
                    .map(|event| format!("{}.{}", kind.name, event.verb))
            });
            if !types.any(|one| meets(start, open, &one)) {
                let message =
                    format!("the authority `{pattern}` meets no event of an active package");
                wrong(
                    message,
                    "write a type, or its beginning with `*`, e.g. `cluster.*`",
                );
            }
            let allowed: Option<Vec<String>> = publishers.as_array().and_then(|names| {
                let name = |name: &Value| Some(Name::new(name.as_str()?).ok()?.to_string());
                names.iter().map(name).collect()
            });
            match allowed {
                Some(names) => patterns.push((start.to_owned(), open, names)),
                None => wrong(
                    format!("the authority `{pattern}` is {publishers}"),
                    "write an array of publishers' names",
                ),
            }
        }
        // A whole type is longer than any beginning of it.
        patterns.sort_by_key(|(start, open, _)| (std::cmp::Reverse(start.len()), *open));
        Self { patterns }
    }

    /// Whether anything is said of anybody.
    pub(crate) fn are_set(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// Whether a publisher may publish a type, `<package>.<entity>.<verb>`.
    pub fn allow(&self, publisher: &str, kind: &KindName, verb: &Name) -> bool {
        if self.patterns.is_empty() {
            return true;
        }
        let event_type = format!("{kind}.{verb}");
        let mut meeting = self
            .patterns
            .iter()
            .filter(|(start, open, _)| meets(start, *open, &event_type));
        meeting
            .next()
            .is_none_or(|(_, _, names)| names.iter().any(|name| name == publisher))
    }
}

fn meets(start: &str, open: bool, event_type: &str) -> bool {
    if open {
        event_type.starts_with(start)
    } else {
        event_type == start
    }
}

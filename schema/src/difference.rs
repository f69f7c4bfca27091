//! What two catalogs say differently, in words: kinds, fields, events, states, ways, rules, incidents, settings,
//! authorities.
//!
//! Each thing that a catalog says has a name and some sayings. Two catalogs are compared by these alone, so what is told
//! of a change is what is told of the thing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::catalog::{Catalog, ENGINE};
use crate::describe::type_text;
use crate::kind::{EventDef, Field, Kind, Lifecycle, Members, Shape};
use crate::package::Package;
use crate::rule::{Incident, On, Rule};

/// How a thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Only the second catalog has it.
    Added,
    /// Only the first has it.
    Removed,
    /// The two say different things of it.
    Changed,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it is: `package`, `kind`, `field`, `event`, `state`, `edge`, `rule`, `incident`, `setting`, `authority`,
    /// `operators`, `secrets` or `engine`.
    pub what: &'static str,
    /// Its name: `platform.environment.quota.cpu`, `platform.environment: ready → degraded`, a rule's with its kind.
    pub name: String,
    /// How it differs.
    pub how: How,
    /// What is said differently, in the order of the names: what it was and what it is; `None` where nothing was said.
    pub sayings: Vec<(&'static str, Option<String>, Option<String>)>,
}

impl Difference {
    /// In words: `severity was warning, is error`.
    pub fn words(&self) -> String {
        let quoted = |text: &Option<String>| match text {
            None => "nothing".to_owned(),
            Some(text) => text.clone(),
        };
        let all = self.sayings.iter().map(|(name, was, is)| match self.how {
            How::Changed => format!("{name} was {}, is {}", quoted(was), quoted(is)),
            How::Added => format!("{name} {}", quoted(is)),
            How::Removed => format!("{name} {}", quoted(was)),
        });
        all.collect::<Vec<_>>().join("; ")
    }
}

/// A catalog with the packages that it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Side<'c> {
    /// The catalog.
    pub catalog: &'c Catalog,
    /// Its packages.
    pub packages: &'c [Package],
    /// The engine that it was activated for.
    pub engine: u32,
}

impl<'c> Side<'c> {
    /// A catalog of this program's engine.
    pub fn new(catalog: &'c Catalog, packages: &'c [Package]) -> Self {
        Self {
            catalog,
            packages,
            engine: ENGINE,
        }
    }
}

/// What the second says otherwise than the first, in the order of what and name.
pub fn between(first: Side<'_>, second: Side<'_>) -> Vec<Difference> {
    let (was, is) = (things(first), things(second));
    let mut found = Vec::new();
    let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
    for key in names {
        let (a, b) = (was.get(key), is.get(key));
        let how = match (a, b) {
            (None, _) => How::Added,
            (_, None) => How::Removed,
            _ => How::Changed,
        };
        let nothing = Sayings::new();
        let (a, b) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
        let said: std::collections::BTreeSet<&&str> = a.keys().chain(b.keys()).collect();
        let sayings: Vec<_> = said
            .into_iter()
            .filter(|name| a.get(*name) != b.get(*name))
            .map(|name| (*name, a.get(name).cloned(), b.get(name).cloned()))
            .collect();
        if how == How::Changed && sayings.is_empty() {
            continue;
        }
        found.push(Difference {
            what: key.0,
            name: key.1.clone(),
            how,
            sayings,
        });
    }
    found
}

type Sayings = BTreeMap<&'static str, String>;
type Things = BTreeMap<(&'static str, String), Sayings>;

/// Everything that a catalog says.
fn things(side: Side<'_>) -> Things {
    let mut all = Things::new();
    let mut say = |what, name: String, sayings: Vec<(&'static str, String)>| {
        let kept = sayings.into_iter().filter(|(_, text)| !text.is_empty());
        all.insert((what, name), kept.collect());
    };
    let engine = vec![("version", side.engine.to_string())];
    say("engine", "engine".to_owned(), engine);
    for package in side.packages {
        say("package", package.name().to_string(), Vec::new());
        if let Some(text) = package.file("secrets.toml") {
            let digest = crate::package::digest(text);
            let name = format!("{}/secrets.toml", package.name());
            say("secrets", name, vec![("digest", digest)]);
        }
    }
    for kind in side.catalog.kinds() {
        of_kind(kind, &mut say);
    }
    for (setting, value) in side.catalog.rules().settings().all() {
        let sayings = vec![
            ("value", value.to_string()),
            ("min", json(setting.min.as_ref())),
            ("max", json(setting.max.as_ref())),
            ("off", json(setting.off.as_ref())),
            ("type", setting.holds.as_str().to_owned()),
        ];
        say("setting", setting.name.clone(), sayings);
    }
    let given = side.catalog.settings();
    let authorities = given.get("authorities").and_then(Value::as_object);
    for (pattern, publishers) in authorities.into_iter().flatten() {
        let sayings = vec![("publishers", publishers.to_string())];
        say("authority", pattern.clone(), sayings);
    }
    if let Some(operators) = given.get("operators") {
        let sayings = vec![("publishers", operators.to_string())];
        say("operators", "operators".to_owned(), sayings);
    }
    all
}

fn of_kind(kind: &Kind, say: &mut dyn FnMut(&'static str, String, Vec<(&'static str, String)>)) {
    let name = kind.name.to_string();
    let identity = kind.identity.as_ref();
    say(
        "kind",
        name.clone(),
        vec![
            ("title", kind.title.clone()),
            ("subject", kind.subject.clone()),
            (
                "identity",
                identity.map(ToString::to_string).unwrap_or_default(),
            ),
            ("view", kind.view.clone()),
            ("retention", kind.retention.to_string()),
            ("stateless", kind.stateless.to_string()),
            (
                "other members",
                if kind.additional {
                    "accepted"
                } else {
                    "refused"
                }
                .to_owned(),
            ),
        ],
    );
    for one in &kind.fields {
        field(one, &name, None, say);
    }
    for event in &kind.events {
        of_event(event, &name, say);
    }
    if let Some(lifecycle) = &kind.lifecycle {
        of_lifecycle(lifecycle, &name, say);
    }
    for one in &kind.rules {
        let part = if one.part.is_empty() {
            String::new()
        } else {
            format!("/{}", one.part)
        };
        say("rule", format!("{}{part} ({name})", one.id), rule(one));
    }
    for (place, one) in kind.incidents.iter().enumerate() {
        let same = kind.incidents.iter().take(place);
        let same = same
            .filter(|other| other.opening.class == one.opening.class)
            .count();
        let again = if same == 0 {
            String::new()
        } else {
            format!(", {}", same + 1)
        };
        say(
            "incident",
            format!("{} ({name}{again})", one.opening.class),
            incident(one),
        );
    }
}

fn of_lifecycle(
    lifecycle: &Lifecycle,
    kind: &str,
    say: &mut dyn FnMut(&'static str, String, Vec<(&'static str, String)>),
) {
    for state in &lifecycle.states {
        let sayings = vec![
            ("terminal", state.terminal.to_string()),
            ("start", lifecycle.start.contains(&state.name).to_string()),
        ];
        say("state", format!("{kind}: {}", state.name), sayings);
    }
    for edge in &lifecycle.edges {
        let edge_of = format!("{kind}: {} → {}", edge.from, edge.to);
        say("edge", edge_of, vec![("when", edge.when.clone())]);
    }
}

fn of_event(
    event: &EventDef,
    kind: &str,
    say: &mut dyn FnMut(&'static str, String, Vec<(&'static str, String)>),
) {
    let name = format!("{kind}.{}", event.verb);
    let fields = event.members.fields.iter();
    let carried: Vec<&str> = fields
        .take(event.carried)
        .map(|one| one.name.as_str())
        .collect();
    let marks = [
        &event.marks.actor_becomes,
        &event.marks.actor_joins,
        &event.marks.time_becomes,
    ];
    let marks: Vec<&str> = marks.into_iter().flatten().map(String::as_str).collect();
    say(
        "event",
        name.clone(),
        vec![
            ("creates", event.creates.to_string()),
            ("to", event.to.clone().unwrap_or_default()),
            ("to_field", event.to_field.clone().unwrap_or_default()),
            ("from_field", event.from_field.clone().unwrap_or_default()),
            ("carries", carried.join(", ")),
            ("required", required(&event.members)),
            ("marks", marks.join(", ")),
            ("operators", event.operators.to_string()),
        ],
    );
    for one in event.evidence() {
        field(one, &name, Some(&event.members), say);
    }
}

fn required(members: &Members) -> String {
    let mut all: Vec<String> = (members.required.iter())
        .filter_map(|place| Some(members.fields.get(*place)?.name.clone()))
        .collect();
    for one in &members.required_when {
        let name = |place| {
            members
                .fields
                .get(place)
                .map_or("", |field: &Field| &field.name)
        };
        let is: Vec<String> = one.is.iter().map(ToString::to_string).collect();
        all.push(format!(
            "{} with {} {}",
            name(one.field),
            name(one.when),
            is.join(" or ")
        ));
    }
    all.join(", ")
}

/// A field and those inside it.
fn field(
    one: &Field,
    outer: &str,
    of: Option<&Members>,
    say: &mut dyn FnMut(&'static str, String, Vec<(&'static str, String)>),
) {
    let name = format!("{outer}.{}", one.name);
    let needed = of.is_some_and(|members| {
        members
            .find(&one.name)
            .is_some_and(|(place, _)| members.requires(place))
    });
    let reference = one.reference.as_ref().map(ToString::to_string);
    say(
        "field",
        name.clone(),
        vec![
            ("type", type_text(&one.shape)),
            ("names", reference.unwrap_or_default()),
            ("sensitive", one.sensitive.to_string()),
            ("needed", needed.to_string()),
            ("becomes", one.becomes.clone().unwrap_or_default()),
        ],
    );
    let mut shape = &one.shape;
    let mut path = name;
    let members = loop {
        match shape {
            Shape::Array { of, .. } => (shape, path) = (of, format!("{path}[]")),
            Shape::Map { of, .. } => (shape, path) = (of, format!("{path}.*")),
            Shape::Object(members) => break Some(members),
            _ => break None,
        }
    };
    for inner in members.iter().flat_map(|members| &members.fields) {
        field(inner, &path, members, say);
    }
}

fn rule(one: &Rule) -> Vec<(&'static str, String)> {
    let conditions = one.conditions().into_iter().map(ToString::to_string);
    let finds = one.find.iter().map(|find| {
        let latest = find
            .latest
            .map(|most| format!(", {most}"))
            .unwrap_or_default();
        format!("{} ({}{latest})", find.name, find.kind)
    });
    let classes: Vec<&str> = one.classes().into_iter().collect();
    vec![
        ("severity", one.severity.to_string()),
        ("shape", one.shape.as_str().to_owned()),
        ("judged at", On::words(&one.on)),
        ("conditions", conditions.collect::<Vec<_>>().join(" | ")),
        ("look-ups", finds.collect::<Vec<_>>().join(", ")),
        ("fields", one.shape.fields()),
        ("incident", classes.join(", ")),
        ("clears", one.clears.to_string()),
        ("instead of", one.instead_of.join(", ")),
        ("words", format!("{} {} {}", one.about, one.why, one.mend)),
    ]
}

fn incident(one: &Incident) -> Vec<(&'static str, String)> {
    let conditions = one.conditions().into_iter().map(ToString::to_string);
    let resolve = one.resolve.as_ref();
    vec![
        ("severity", one.opening.severity.to_string()),
        ("opens at", On::words(&one.on)),
        ("conditions", conditions.collect::<Vec<_>>().join(" | ")),
        (
            "resolved at",
            resolve.map(|one| On::words(&one.on)).unwrap_or_default(),
        ),
        ("words", format!("{} {} {}", one.about, one.why, one.mend)),
    ]
}

fn json(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

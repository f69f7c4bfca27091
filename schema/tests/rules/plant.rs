//! A ledger of valves: one kind with a field of every sort, and the rules of a test.

use schema::rule::{Event, Finding, Told, World};
use schema::{Catalog, Name, Package};
use serde_json::{Map, Value, json};

/// A kind with a field of every sort, and these rules.
pub(crate) fn catalog(rules: &str) -> Catalog {
    let kind = format!(
        r#"
kind = "sample.valve"
title = "Valve"
about = "A valve of the plant."
subject = "Its number."
view = "valves"
retention = "forever"

[fields.size]
type = "integer"
about = "Its width in millimetres."

[fields.weight]
type = "number"
about = "Kilograms."

[fields.made_at]
type = "timestamp"
about = "When it was made."

[fields.maker]
type = "string"
about = "Who made it."

[fields.parts]
type = "array"
of = {{ type = "object", fields = {{ name = {{ type = "string", about = "Its name." }}, count = {{ type = "integer", about = "How many." }} }} }}
about = "What it is made of."
example = []

[fields.fed_by]
type = "string"
reference = "sample.valve"
about = "The valve before it."

[fields.drains]
type = "array"
of = {{ type = "string" }}
reference = "sample.valve"
about = "The valves that it empties."
example = []

[fields.labels]
type = "map"
of = {{ type = "string" }}
about = "What is written on it."
example = {{ plant = "north" }}

[fields.odd]
type = "any"
about = "Anything."

[events.installed]
about = "It was put in."
creates = true
to = "closed"
carries = "all"

[events.turned]
about = "It was opened or closed."
to_field = "to"
required = ["to"]

[events.turned.fields.to]
type = "enum"
values = ["open", "closed"]
about = "How it is now."

[events.measured]
about = "It was measured."
carries = ["size", "weight"]

[lifecycle]
start = ["closed"]
terminal = []

[lifecycle.states]
closed = "Nothing flows."
open = "It flows."

[[lifecycle.edges]]
from = "closed"
to = "open"

[[lifecycle.edges]]
from = "open"
to = "closed"
{rules}"#
    );
    let sample = Package::parse(
        Name::new("sample").unwrap(),
        vec![("valve.toml".to_owned(), kind)],
    );
    let packages = [Package::builtin_named("ledger").unwrap(), sample.unwrap()];
    Catalog::of(&packages, json!({})).unwrap_or_else(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        unreachable!("{}", found.join("\n"))
    })
}

pub(crate) fn rule(keys: &str) -> String {
    format!(
        "\n[[rules]]\nid = \"valve.rule\"\nseverity = \"error\"\nabout = \"It is so.\"\nwhy = \"It has to \
         be.\"\nmend = \"Make it so.\"\n{keys}\n"
    )
}

/// A ledger of valves, one event a second.
pub(crate) struct Plant {
    catalog: Catalog,
    pub(crate) world: World,
    seq: u64,
}

impl Plant {
    pub(crate) fn with(rules: &str) -> Self {
        Self {
            catalog: catalog(rules),
            world: World::default(),
            seq: 0,
        }
    }

    pub(crate) fn event(&mut self, subject: &str, verb: &str, data: &Value) -> Told {
        self.claimed(subject, verb, data, 0)
    }

    /// An event that claims to have happened so many seconds before it is recorded.
    fn claimed(&mut self, subject: &str, verb: &str, data: &Value, before_s: i64) -> Told {
        let recorded_us = i64::try_from(self.seq).unwrap() * 1_000_000 + 1_000_000_000;
        let context = Map::new();
        let event = Event {
            kind: "sample.valve",
            verb,
            id: "e",
            subject,
            source: "/plant",
            actor: "cleo",
            publisher: "plant",
            context: &context,
            occurred_us: recorded_us - before_s * 1_000_000,
            recorded_us,
            seq: self.seq,
            data,
        };
        self.seq += 1;
        let kind = "sample.valve".parse().unwrap();
        self.world
            .apply(&self.catalog, &kind, &Name::new(verb).unwrap(), event)
    }

    pub(crate) fn installed(&mut self, data: &Value) -> Vec<String> {
        said(&self.event("v1", "installed", data))
    }
}

/// `rule severity key`, `rule.not_judged warning rule: why` of each finding.
pub(crate) fn said(told: &Told) -> Vec<String> {
    let one = |one: &Finding| {
        let key = if one.detail_key.is_empty() {
            String::new()
        } else {
            format!(" {}", one.detail_key)
        };
        let why = one.not_judged.as_ref().map(|why| format!(": {why}"));
        format!(
            "{} {}{key}{}",
            one.rule,
            one.severity,
            why.unwrap_or_default()
        )
    };
    // What the lifecycle says is not what is tested here.
    let judged = told
        .raised
        .iter()
        .filter(|one| one.rule != schema::rule::ILLEGAL);
    judged.map(one).collect()
}

/// What a condition says of a valve: it holds, it is broken, or it cannot be judged.
pub(crate) fn requires(condition: &str, data: &Value) -> String {
    let mut plant = Plant::with(&rule(&format!(
        "shape = \"require\"\nrequire = '''{condition}'''"
    )));
    let said = plant.installed(data);
    match said.as_slice() {
        [] => "holds".to_owned(),
        [one] if one == "valve.rule error" => "broken".to_owned(),
        [one] => one.replace("rule.not_judged warning valve.rule: ", ""),
        _ => said.join(", "),
    }
}

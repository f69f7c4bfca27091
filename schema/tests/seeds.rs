//! The kinds against the documents that they were made from: every entity, field, value, state and way.
//!
//! `seeds/<package>.toml` says what the documents say; its form is explained in `seeds/cluster.toml`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use schema::kind::{Lifecycle, Shape};
use schema::{EventDef, Field, Kind, Package};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    document: String,
    events: BTreeSet<String>,
    #[serde(default)]
    elsewhere: BTreeMap<String, String>,
    #[serde(default)]
    beyond: BTreeMap<String, String>,
    entity: Vec<Entity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entity {
    name: String,
    kind: String,
    #[serde(default)]
    fields: BTreeMap<String, Wanted>,
    #[serde(default)]
    references: BTreeMap<String, String>,
    lifecycle: Option<Machine>,
    #[serde(default)]
    otherwise: BTreeMap<String, Otherwise>,
    #[serde(default)]
    added: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Wanted {
    Type(String),
    Enum(BTreeSet<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    field: Option<String>,
    states: BTreeSet<String>,
    start: BTreeSet<String>,
    #[serde(default)]
    terminal: BTreeSet<String>,
    edges: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Otherwise {
    field: Option<String>,
    #[serde(rename = "type")]
    kind_type: Option<String>,
    why: String,
}

/// What is wrong, one line each, with where it was looked for.
struct Found {
    place: String,
    wrong: Vec<String>,
}

impl Found {
    fn say(&mut self, what: impl std::fmt::Display) {
        self.wrong.push(format!("{}: {what}", self.place));
    }
}

/// Every file of the folder, with the package that it is named as.
fn seeds() -> Vec<(Package, Seed)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let parsed = files.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let seed =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (Package::builtin_named(name).unwrap(), seed)
    });
    parsed.collect()
}

#[test]
fn every_package_is_held_against_its_document() {
    let ours: BTreeSet<String> = Package::builtin_names().map(str::to_owned).collect();
    let held = seeds()
        .into_iter()
        .map(|(package, _)| package.name().to_string());
    let missing: Vec<String> = ours.difference(&held.collect()).cloned().collect();
    assert_eq!(missing, ["ledger"], "write tests/seeds/<package>.toml");
}

#[test]
fn the_kinds_are_what_the_documents_say() {
    let seeds = seeds();
    let wrong = seeds
        .iter()
        .flat_map(|(package, seed)| differences(package, seed));
    let wrong: Vec<String> = wrong.collect();
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A text of a document, what it might have been, and what is said then.
const CHANGES: &[(&str, &str, &str)] = &[
    (
        "\"cluster.node.registered\"",
        "\"cluster.node.built\"",
        "no event `cluster.node.built`",
    ),
    (
        "  \"cluster.node.updated\",\n",
        "",
        "`cluster.node.updated` is in no document",
    ),
    (
        "\"cluster.remediation_plan\" =",
        "\"cluster.plan\" =",
        "`cluster.remediation_plan` is no entity's kind",
    ),
    (
        "kind = \"cluster.node\"",
        "kind = \"cluster.knot\"",
        "no such kind",
    ),
    ("hostname =", "host =", "no field `host`"),
    (
        "hostname = \"string\"",
        "hostname = \"uuid\"",
        "`hostname` is string, not uuid",
    ),
    (
        "\"taints[].key\" =",
        "\"taints[].name\" =",
        "no field `taints[].name`",
    ),
    (
        "[\"server-agent\", \"worker\"]",
        "[\"server-agent\", \"slave\"]",
        "value role `slave` is missing",
    ),
    (
        "[\"server-agent\", \"worker\"]",
        "[\"worker\"]",
        "value role `server-agent` is in no document",
    ),
    (
        "\"pending -> failed\"",
        "\"failed -> pending\"",
        "edge `failed -> pending` is missing",
    ),
    (
        ", \"pending -> failed\"",
        "",
        "edge `pending -> failed` is in no document",
    ),
    (
        "terminal = [\"rolled-back\"]",
        "terminal = []",
        "terminal `rolled-back` is in no document",
    ),
    (
        "start = [\"scheduled\"]",
        "start = [\"verified\"]",
        "start `verified` is missing",
    ),
    (
        "states = [\"active\", ",
        "states = [\"sleeping\", \"active\", ",
        "state `sleeping` is missing",
    ),
    (
        "\"nodes[].node_id\" = \"cluster.node\"",
        "\"nodes[].role\" = \"cluster.node\"",
        "names no kind",
    ),
];

/// A document that said something else would be noticed.
#[test]
fn every_difference_is_said() {
    let package = Package::builtin_named("cluster").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/cluster.toml");
    let text = fs::read_to_string(path).unwrap();
    for (this, that, said) in CHANGES {
        assert!(text.contains(this), "{this} is not in the file any more");
        let seed: Seed = toml::from_str(&text.replacen(this, that, 1)).unwrap();
        let found = differences(&package, &seed).join("\n");
        assert!(found.contains(said), "{this} to {that}: {found:?}");
    }
}

/// What a package and its document say differently, one line each.
fn differences(package: &Package, seed: &Seed) -> Vec<String> {
    let mut found = Found {
        place: format!("{} ({})", package.name(), seed.document),
        wrong: Vec::new(),
    };
    whole(package, seed, &mut found);
    for entity in &seed.entity {
        found.place = format!("{} {} ({})", package.name(), entity.name, entity.kind);
        let mut kinds = package.kinds().iter();
        let Some(kind) = kinds.find(|kind| kind.name.to_string() == entity.kind) else {
            found.say("there is no such kind");
            continue;
        };
        fields(kind, entity, &mut found);
        references(kind, entity, &mut found);
        lifecycle(kind, entity, &mut found);
    }
    found.wrong
}

/// Kinds and events on both sides.
fn whole(package: &Package, seed: &Seed, found: &mut Found) {
    let mut known = BTreeSet::new();
    for kind in package.kinds() {
        let name = kind.name.to_string();
        let in_seed = seed.entity.iter().any(|entity| entity.kind == name);
        if !in_seed && !seed.beyond.contains_key(&name) {
            found.say(format_args!(
                "`{name}` is no entity's kind: add the entity, or name it in [beyond]"
            ));
        }
        let machine = |one: &Entity| one.kind == name && one.lifecycle.is_some();
        let judged = kind.lifecycle.as_ref().is_some_and(|one| one.judged);
        if in_seed && judged && !seed.entity.iter().any(machine) {
            found.say(format_args!(
                "`{name}` judges a lifecycle that is in no document"
            ));
        }
        known.extend(
            kind.events
                .iter()
                .map(|event| format!("{name}.{}", event.verb)),
        );
        known.insert(name);
    }
    for missing in seed.events.difference(&known) {
        found.say(format_args!("there is no event `{missing}`"));
    }
    for name in &known {
        let is_event = name.split('.').count() == 3;
        if is_event && !seed.events.contains(name) && !seed.beyond.contains_key(name) {
            found.say(format_args!(
                "the event `{name}` is in no document: name it in [beyond]"
            ));
        }
    }
    for name in seed.beyond.keys().filter(|name| !known.contains(*name)) {
        found.say(format_args!("[beyond] names `{name}`, which is not there"));
    }
    let reasons = seed.beyond.values().chain(seed.elsewhere.values());
    let entities = seed.entity.iter();
    let reasons = reasons.chain(entities.clone().flat_map(|entity| entity.added.values()));
    let others = entities.flat_map(|entity| entity.otherwise.values().map(|other| &other.why));
    if reasons.chain(others).any(String::is_empty) {
        found.say("a difference has no reason");
    }
}

fn fields(kind: &Kind, entity: &Entity, found: &mut Found) {
    for (name, wanted) in &entity.fields {
        let otherwise = entity.otherwise.get(name);
        let path = otherwise
            .and_then(|other| other.field.as_ref())
            .unwrap_or(name);
        let Some((_, shape)) = lookup(kind, path) else {
            let is_status = entity
                .lifecycle
                .as_ref()
                .is_some_and(|one| one.field.as_ref() == Some(name));
            if !is_status {
                found.say(format_args!("there is no field `{path}`"));
            }
            continue;
        };
        let other_type = otherwise.and_then(|other| other.kind_type.as_deref());
        match (wanted, other_type) {
            (_, Some(other)) if shape.type_name() != other => {
                found.say(format_args!(
                    "`{path}` is {}, not {other}",
                    shape.type_name()
                ));
            }
            (_, Some(_)) => {}
            (Wanted::Type(wanted), None) => {
                if shape.type_name() != wanted {
                    found.say(format_args!(
                        "`{path}` is {}, not {wanted}",
                        shape.type_name()
                    ));
                }
            }
            (Wanted::Enum(wanted), None) => {
                let Shape::Enum(values) = shape else {
                    found.say(format_args!(
                        "`{path}` is {}, not an enum",
                        shape.type_name()
                    ));
                    continue;
                };
                let values = values.iter().cloned().collect();
                both(wanted, &values, &format!("value {name}"), entity, found);
            }
        }
    }
    for name in entity
        .otherwise
        .keys()
        .filter(|name| !entity.fields.contains_key(*name))
    {
        found.say(format_args!(
            "[entity.otherwise] names `{name}`, which is not in [entity.fields]"
        ));
    }
}

fn references(kind: &Kind, entity: &Entity, found: &mut Found) {
    for (path, wanted) in &entity.references {
        let named =
            lookup(kind, path).map(|(field, _)| field.and_then(|field| field.reference.as_ref()));
        match named {
            None => found.say(format_args!("there is no field `{path}`")),
            Some(None) => found.say(format_args!("`{path}` names no kind, not {wanted}")),
            Some(Some(other)) if other.to_string() != *wanted => {
                found.say(format_args!("`{path}` names {other}, not {wanted}"));
            }
            Some(_) => {}
        }
    }
}

fn lifecycle(kind: &Kind, entity: &Entity, found: &mut Found) {
    let Some(machine) = &entity.lifecycle else {
        // Where no document has a machine, a status may be kept, but not judged: see `whole`.
        return;
    };
    let Some(lifecycle) = kind.lifecycle.as_ref().filter(|lifecycle| lifecycle.judged) else {
        found.say("there is no lifecycle that is judged");
        return;
    };
    let [states, terminal, edges] = sets(lifecycle);
    let start = lifecycle.start.iter().cloned().collect();
    both(&machine.states, &states, "state", entity, found);
    both(&machine.start, &start, "start", entity, found);
    both(&machine.terminal, &terminal, "terminal", entity, found);
    both(&machine.edges, &edges, "edge", entity, found);
    let field = machine
        .field
        .as_ref()
        .and_then(|field| entity.fields.get(field));
    if let Some(Wanted::Enum(values)) = field
        && *values != machine.states
    {
        found.say("the field that holds the state has other values than the machine has states");
    }
}

/// States, those of them that are terminal, and edges.
fn sets(lifecycle: &Lifecycle) -> [BTreeSet<String>; 3] {
    let states = lifecycle.states.iter();
    let ends = states.clone().filter(|state| state.terminal);
    let edges = lifecycle.edges.iter();
    [
        states.map(|state| state.name.clone()).collect(),
        ends.map(|state| state.name.clone()).collect(),
        edges
            .map(|edge| format!("{} -> {}", edge.from, edge.to))
            .collect(),
    ]
}

/// What the document has is there, and what it has not is not, unless it is a named addition.
fn both(
    wanted: &BTreeSet<String>,
    there: &BTreeSet<String>,
    what: &str,
    entity: &Entity,
    found: &mut Found,
) {
    for missing in wanted.difference(there) {
        found.say(format_args!("the {what} `{missing}` is missing"));
    }
    for more in there.difference(wanted) {
        if !entity.added.contains_key(&format!("{what} {more}")) {
            found.say(format_args!(
                "the {what} `{more}` is in no document: remove it, or say why in [entity.added]"
            ));
        }
    }
    let prefix = format!("{what} ");
    let added = entity
        .added
        .keys()
        .filter_map(|name| name.strip_prefix(&prefix));
    for left in added.filter(|name| !there.contains(*name)) {
        found.say(format_args!(
            "[entity.added] names the {what} `{left}`, which is not there"
        ));
    }
}

/// The shape at a path (`taints[].key`, `labels.*`) and the field that it is the whole of, among the entity's fields
/// and then its events' own.
fn lookup<'k>(kind: &'k Kind, path: &str) -> Option<(Option<&'k Field>, &'k Shape)> {
    let (first, rest) = split(path);
    let own = kind.events.iter().flat_map(EventDef::evidence);
    let mut candidates = kind
        .fields
        .iter()
        .chain(own)
        .filter(|field| field.name == first);
    candidates.find_map(|field| descend(Some(field), &field.shape, rest))
}

fn descend<'k>(
    field: Option<&'k Field>,
    shape: &'k Shape,
    path: &str,
) -> Option<(Option<&'k Field>, &'k Shape)> {
    if path.is_empty() {
        return Some((field, shape));
    }
    match shape {
        Shape::Array { of, .. } => descend(None, of, path.strip_prefix("[]")?),
        Shape::Map { of, .. } => descend(None, of, path.strip_prefix(".*")?),
        Shape::Object(members) => {
            let (name, rest) = split(path.strip_prefix('.')?);
            let (_, field) = members.find(name)?;
            descend(Some(field), &field.shape, rest)
        }
        _ => None,
    }
}

/// A path's first name, and what is left of it.
fn split(path: &str) -> (&str, &str) {
    path.split_at(path.find(['.', '[']).unwrap_or(path.len()))
}

//! Checking, steps and merging against plain models of themselves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use schema::kind::{Kind, Lifecycle, Marks, Members, Shape};
use schema::merge::{self, Changing};
use schema::{Name, Package, time};
use serde_json::{Map, Value, json};

/// A kind with one of everything.
const KIND: &str = r#"
kind = "sample.thing"
title = "Thing"
about = "One of everything."
subject = "Its name."
view = "things"
retention = "30d"

[fields]
any = { type = "any", about = "A." }
scalar = { type = "scalar", about = "S." }
word = { type = "string", about = "W.", min = 1, max = 3, example = "abc" }
code = { type = "string", about = "C.", pattern = "(?<first>[a-z])[a-z]", example = "ab" }
first = { type = "string", about = "F.", part = "code.first", example = "a" }
owner = { type = "entity", about = "E.", by = ["<a>/<b>", "<b>"] }
whole = { type = "integer", about = "I.", min = -2, max = 7 }
number = { type = "number", about = "N.", max = 1.5 }
amount = { type = "amount", about = "P." }
flag = { type = "boolean", about = "B." }
at = { type = "timestamp", about = "T." }
uuid = { type = "uuid", about = "U." }
colour = { type = "enum", about = "E.", values = ["red", "green"] }
list = { type = "array", about = "L.", example = [1], of = { type = "integer" }, max = 2 }
map = { type = "map", about = "M.", example = { a = 1 }, of = { type = "scalar" }, max = 2 }

[fields.inner]
type = "object"
about = "O."
required = ["a"]
additional = false
fields = { a = { type = "string", about = "A." }, "b" = { type = "array", about = "B.", of = { type = "boolean" } } }

[events.made]
about = "Made."
creates = true
carries = "all"
required = ["word"]
required_when = [
    { field = "flag", when = "colour", is = "red" },
    { field = "at", when = "list" },
]
"#;

fn thing() -> Kind {
    let files = vec![("thing.toml".to_owned(), KIND.to_owned())];
    let package = Package::parse(Name::new("sample").unwrap(), files).unwrap();
    package.kind("thing").unwrap().clone()
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a value has the shape: the pointer of the first offending place otherwise. Null is nothing.
fn judge(shape: &Shape, value: &Value) -> Result<(), String> {
    let holds = match (shape, value) {
        (Shape::Any, _) => true,
        (Shape::Scalar, value) => value.is_string() || value.is_number() || value.is_boolean(),
        (Shape::String { size, pattern }, Value::String(text)) => {
            size.hold(text.chars().count() as u64)
                && pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
        }
        (Shape::Integer(bounds), value) => value.as_i64().is_some_and(|whole| bounds.hold(whole)),
        (Shape::Number(bounds), value) => value.as_f64().is_some_and(|number| bounds.hold(number)),
        (Shape::Amount, Value::String(text)) => amount_like(text),
        (Shape::Amount, value) => value.is_number(),
        (Shape::Boolean, value) => value.is_boolean(),
        (Shape::Timestamp, Value::String(text)) => time::parse_rfc3339_us(text).is_some(),
        (Shape::Uuid, Value::String(text)) => uuid_like(text),
        (Shape::Enum(values), Value::String(text)) => values.contains(text),
        (Shape::Array { of, size }, Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let inner = if item.is_null() {
                    Err(String::new())
                } else {
                    judge(of, item)
                };
                inner.map_err(|at| format!("/{index}{at}"))?;
            }
            size.hold(items.len() as u64)
        }
        (Shape::Map { of, size }, Value::Object(entries)) => {
            let present = entries.iter().filter(|(_, value)| !value.is_null());
            for (key, value) in present.clone() {
                judge(of, value).map_err(|at| format!("/{}{at}", escape(key)))?;
            }
            size.hold(present.count() as u64)
        }
        (Shape::Entity(_), Value::String(text)) => !text.is_empty(),
        (Shape::Entity(_), value) => owner(value).is_some(),
        (Shape::Object(members), Value::Object(entries)) => {
            return judge_members(members, entries, &BTreeSet::new());
        }
        _ => false,
    };
    if holds { Ok(()) } else { Err(String::new()) }
}

fn judge_members(
    members: &Members,
    entries: &Map<String, Value>,
    needed: &BTreeSet<usize>,
) -> Result<(), String> {
    for (key, value) in entries {
        match members.find(key) {
            None if !members.additional => return Err(format!("/{}", escape(key))),
            Some((_, field)) if !value.is_null() => {
                judge(&field.shape, value).map_err(|at| format!("/{}{at}", escape(key)))?;
            }
            _ => {}
        }
    }
    for (place, field) in members.fields.iter().enumerate() {
        let wanted = members.requires(place) || needed.contains(&place);
        if wanted && entries.get(&field.name).is_none_or(Value::is_null) {
            return Err(format!("/{}", field.name));
        }
    }
    Ok(())
}

fn judge_event(members: &Members, entries: &Map<String, Value>) -> Result<(), String> {
    let mut needed = BTreeSet::new();
    for one in &members.required_when {
        let value = entries.get(&members.fields[one.when].name);
        let value = value.filter(|value| !value.is_null());
        if value.is_some_and(|value| one.is.is_empty() || one.is.contains(value)) {
            needed.insert(one.field);
        }
    }
    judge_members(members, entries, &needed)?;
    let (code, first) = (entries.get("code"), entries.get("first"));
    match (code.and_then(Value::as_str), first.and_then(Value::as_str)) {
        (Some(code), Some(first)) if !code.starts_with(first) || first.len() != 1 => {
            Err("/first".to_owned())
        }
        _ => Ok(()),
    }
}

/// The identifier that an object makes by `<a>/<b>`, or by `<b>`.
fn owner(value: &Value) -> Option<String> {
    let said = |name: &str| match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let b = said("b")?;
    Some(said("a").map_or(b.clone(), |a| format!("{a}/{b}")))
}

fn uuid_like(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(hex)
}

fn amount_like(text: &str) -> bool {
    let number = regex::Regex::new(r"^-?[0-9]+(\.[0-9]+)?%?$").unwrap();
    text.len() <= 32 && number.is_match(text)
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-4_i64..10).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3.0_f64..3.0).prop_map(Value::from),
        "[a-c]{0,4}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
        "-?[0-9.]{0,3}%{0,2}".prop_map(Value::from),
        Just(json!("red")),
        Just(json!("green")),
        Just(json!("2026-08-02T21:00:01Z")),
        Just(json!("2026-08-02T21:00:61Z")),
        Just(json!("6f1c1f7e-7c1b-4a54-9a3e-2f1d0c9b8a76")),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[abc~/é]{1,2}", inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Data with the kind's members, most of them as they should be.
fn data() -> impl Strategy<Value = Map<String, Value>> {
    let kind = thing();
    let names: Vec<String> = kind.fields.iter().map(|field| field.name.clone()).collect();
    let examples = kind.events[0].example();
    let member = (proptest::sample::select(names), value(), 0..10_u8);
    (proptest::collection::vec(member, 0..8), any::<bool>()).prop_map(move |(members, whole)| {
        let mut data = match &examples {
            Value::Object(members) if whole => members.clone(),
            _ => Map::new(),
        };
        for (name, value, dice) in members {
            let value = if dice < 6 {
                examples[&name].clone()
            } else {
                value
            };
            data.insert(name, value);
        }
        data
    })
}

proptest! {
    #[test]
    fn checking_agrees_with_a_plain_model(data in data(), pretty in any::<bool>()) {
        let kind = thing();
        let event = &kind.events[0];
        let value = Value::Object(data.clone());
        let bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) };
        let checked = kind.check(&event.verb, &bytes.unwrap());
        prop_assert_eq!(checked, judge_event(&event.members, &data));
    }

    #[test]
    fn checking_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let kind = thing();
        let _ = kind.check(&kind.events[0].verb, &bytes);
    }

    #[test]
    fn checking_cut_data_never_panics(data in data(), cut in 0..400_usize) {
        let kind = thing();
        let bytes = serde_json::to_vec(&data).unwrap();
        let cut = &bytes[..cut.min(bytes.len())];
        let whole = cut.len() == bytes.len();
        prop_assert!(whole || kind.check(&kind.events[0].verb, cut).is_err());
    }

    #[test]
    fn merging_agrees_with_rfc_7396(before in data(), data in data()) {
        let kind = thing();
        let mut ours = before.clone();
        kind.merge(&mut Changing::new(&mut ours), &kind.events[0].verb, &Value::Object(data.clone()));
        let mut data = data;
        if let Some(name) = data.get("owner").and_then(owner) {
            data.insert("owner".to_owned(), Value::from(name));
        }
        let theirs = merge_patch(Value::Object(before), &Value::Object(data));
        prop_assert_eq!(Value::Object(ours), theirs);
    }
}

proptest! {
    #[test]
    fn what_an_event_changed_is_known_and_can_be_taken_back(
        events in proptest::collection::vec((data(), "[a-b]{0,1}"), 1..4),
    ) {
        let mut kind = thing();
        kind.events[0].marks = Marks {
            actor_becomes: Some("word".to_owned()),
            actor_joins: Some("actors".to_owned()),
            time_becomes: Some("code".to_owned()),
            times_become: None,
        };
        let verb = &kind.events[0].verb;
        let mut attributes = Map::new();
        for (data, actor) in events {
            let (before, data) = (attributes.clone(), Value::Object(data));
            let mut changing = Changing::new(&mut attributes);
            kind.merge(&mut changing, verb, &data);
            kind.mark(&mut changing, verb, Some(&data), &actor, 1);
            let was = changing.into_was();
            let names: BTreeSet<&String> = before.keys().chain(attributes.keys()).collect();
            for name in names {
                let said = was.iter().find(|(changed, _)| changed == name);
                let said = said.map(|(_, value)| value).or(attributes.get(name));
                prop_assert_eq!(said.filter(|value| !value.is_null()), before.get(name));
            }
            let mut again = attributes.clone();
            merge::take_back(&mut again, was);
            prop_assert_eq!(again, before);
        }
    }
}

/// RFC 7396, section 2, as it stands there.
fn merge_patch(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut target = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            let before = target.remove(name).unwrap_or(Value::Null);
            target.insert(name.clone(), merge_patch(before, value));
        }
    }
    Value::Object(target)
}

#[test]
fn evidence_statuses_and_unknown_members_are_not_merged() {
    let package = Package::builtin_named("platform").unwrap();
    let kind = package.kind("environment").unwrap();
    let mut attributes = Map::new();
    let created = json!({"name": "staging", "status": "provisioning", "owner": "ana", "quota": {"cpu": 1, "pods": null}});
    let mut changing = Changing::new(&mut attributes);
    kind.merge(&mut changing, &Name::new("created").unwrap(), &created);
    let changed = json!({"from": "provisioning", "to": "ready", "reason": "done", "name": "other"});
    kind.merge(
        &mut changing,
        &Name::new("status_changed").unwrap(),
        &changed,
    );
    assert_eq!(
        Value::Object(attributes),
        json!({"name": "staging", "quota": {"cpu": 1}})
    );
}

/// The table of the environment's lifecycle, as its owners drew it.
const EDGES: [(&str, &str); 6] = [
    ("provisioning", "ready"),
    ("provisioning", "recovering"),
    ("ready", "degraded"),
    ("ready", "retired"),
    ("degraded", "recovering"),
    ("recovering", "ready"),
];

#[test]
fn every_step_of_an_environment() {
    let package = Package::builtin_named("platform").unwrap();
    let kind = package.kind("environment").unwrap();
    let states = ["provisioning", "ready", "degraded", "recovering", "retired"];
    let step = |status, verb, data: Value| kind.step(status, &Name::new(verb).unwrap(), &data);
    for from in states {
        for to in states {
            let taken = step(
                Some(from),
                "status_changed",
                json!({"from": "ready", "to": to}),
            );
            assert_eq!(taken.legal, EDGES.contains(&(from, to)), "{from} to {to}");
            assert_eq!(taken.to.as_deref(), Some(to));
            assert_eq!(taken.from_claimed.as_deref(), Some("ready"));
        }
        assert!(
            !step(Some(from), "created", json!({})).legal,
            "created again when {from}"
        );
        assert_eq!(
            step(Some(from), "updated", json!({})).legal,
            from != "retired"
        );
    }
    assert!(step(None, "created", json!({})).legal);
    assert_eq!(
        step(None, "created", json!({})).to.as_deref(),
        Some("provisioning")
    );
    assert!(!step(None, "created", json!({"status": "ready"})).legal);
    assert!(!step(None, "updated", json!({})).legal);
    assert!(!step(None, "status_changed", json!({"to": "provisioning"})).legal);
}

/// Every step of every built-in kind against a plain reading of its table.
#[test]
fn every_step_of_every_kind() {
    for kind in Package::builtin()
        .expect("the built-in packages load")
        .iter()
        .flat_map(Package::kinds)
    {
        let Some(lifecycle) = &kind.lifecycle else {
            continue;
        };
        let known = lifecycle
            .states
            .iter()
            .map(|state| Some(state.name.as_str()));
        let statuses: Vec<Option<&str>> = known.chain([None]).collect();
        for event in &kind.events {
            let data = event.example();
            for status in &statuses {
                let step = kind.step(*status, &event.verb, &data);
                let legal = !lifecycle.judged
                    || allowed(lifecycle, *status, step.to.as_deref(), event.creates);
                assert_eq!(
                    step.legal, legal,
                    "{}.{} in {status:?}",
                    kind.name, event.verb
                );
            }
        }
    }
}

fn allowed(lifecycle: &Lifecycle, from: Option<&str>, to: Option<&str>, creates: bool) -> bool {
    let table: BTreeSet<(&str, &str)> = lifecycle
        .edges
        .iter()
        .map(|edge| (edge.from.as_str(), edge.to.as_str()))
        .collect();
    let ended = |status: &str| {
        lifecycle
            .states
            .iter()
            .any(|one| one.terminal && one.name == status)
    };
    match (from, to) {
        (None, to) => creates && to.is_none_or(|to| lifecycle.start.iter().any(|one| one == to)),
        (Some(from), Some(to)) => table.contains(&(from, to)),
        (Some(from), None) => !ended(from),
    }
}

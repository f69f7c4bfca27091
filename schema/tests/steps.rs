//! Statuses that are booleans, and fields that an event sets by one of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use schema::merge::Changing;
use schema::{Kind, Name, Package};
use serde_json::{Map, Value, json};

fn kind(package: &str, entity: &str) -> Kind {
    let package = Package::builtin_named(package).unwrap();
    package.kind(entity).unwrap().clone()
}

#[test]
fn a_boolean_says_the_status_and_stays_a_field() {
    let kind = kind("delivery", "pipeline_definition");
    let step = |status, verb, data: &Value| kind.step(status, &Name::new(verb).unwrap(), data);
    let begun = step(None, "created", &json!({"app": "api"}));
    assert_eq!((begun.to.as_deref(), begun.legal), (Some("false"), true));
    let begun = step(
        None,
        "created",
        &json!({"app": "api", "approval_required": true}),
    );
    assert_eq!((begun.to.as_deref(), begun.legal), (Some("true"), true));
    let toggled = json!({"from": true, "approval_required": false});
    let step = step(Some("true"), "approval_toggled", &toggled);
    assert_eq!((step.to.as_deref(), step.legal), (Some("false"), true));
    assert_eq!(step.from_claimed.as_deref(), Some("true"));

    let mut attributes = Map::new();
    kind.merge(
        &mut Changing::new(&mut attributes),
        &Name::new("approval_toggled").unwrap(),
        &toggled,
    );
    assert_eq!(
        Value::Object(attributes),
        json!({"approval_required": false})
    );
}

#[test]
fn an_event_sets_a_field_by_one_of_its_own() {
    let kind = kind("delivery", "guardrail");
    let mut attributes = Map::new();
    let defined = json!({"metric_name": "api_p95", "threshold": 800});
    kind.merge(
        &mut Changing::new(&mut attributes),
        &Name::new("defined").unwrap(),
        &defined,
    );
    let changed = json!({"from": 800, "to": "5%", "reason": "KPI-7"});
    let verb = Name::new("threshold_changed").unwrap();
    kind.merge(&mut Changing::new(&mut attributes), &verb, &changed);
    let wanted = json!({"metric_name": "api_p95", "threshold": "5%"});
    assert_eq!(Value::Object(attributes), wanted);
}

#[test]
fn an_event_leaves_who_acted_and_when() {
    let change = kind("cluster", "config_change");
    let mut attributes = Map::new();
    let mut mark = |verb: &str, data: Option<&Value>, actor: &str| {
        change.mark(
            &mut Changing::new(&mut attributes),
            &Name::new(verb).unwrap(),
            data,
            actor,
            1_500_000,
        );
    };
    let forged = json!({"drafted_by": "eve", "approvals": ["eve"]});
    mark("drafted", Some(&forged), "ben");
    for actor in ["cleo", "dora", "cleo", ""] {
        mark("approved", Some(&forged), actor);
    }
    mark(
        "applied",
        Some(&json!({"applied_at": "2026-07-08T09:30:00Z"})),
        "ben",
    );
    // What the event may have said is not known where its data was deleted.
    mark("applied", None, "ben");
    let wanted = json!({"drafted_by": "ben", "approvals": ["cleo", "dora"]});
    assert_eq!(Value::Object(attributes.clone()), wanted);
    change.mark(
        &mut Changing::new(&mut attributes),
        &Name::new("applied").unwrap(),
        Some(&json!({})),
        "ben",
        1_500_000,
    );
    assert_eq!(
        attributes.get("applied_at"),
        Some(&json!("1970-01-01T00:00:01.500Z"))
    );
}

#[test]
fn an_event_leaves_when_under_each_name() {
    let bundle = kind("platform", "secrets_bundle");
    let mut attributes = Map::new();
    let mut event = |verb: &str, data: &Value, at_us: i64| {
        let verb = Name::new(verb).unwrap();
        let mut changing = Changing::new(&mut attributes);
        bundle.merge(&mut changing, &verb, data);
        bundle.mark(&mut changing, &verb, Some(data), "", at_us);
        attributes["item_rotations"].clone()
    };
    let items = |names: &[&str]| {
        let items: Vec<Value> = names
            .iter()
            .map(|name| json!({"name": name, "purpose": name, "rotation_frequency_days": 30}))
            .collect();
        json!({"items": items, "item_rotations": {"api": "2099-01-01T00:00:00Z"}})
    };
    let [at0, at1, at2, at3] = [0, 1, 2, 3].map(|s| format!("1970-01-01T00:00:0{s}Z"));
    assert_eq!(
        event("created", &items(&["api", "prom"]), 0),
        json!({"api": at0, "prom": at0}),
        "nobody says it but the time of the event"
    );
    assert_eq!(
        event("rotated", &json!({"rotated_items": ["api"]}), 1_000_000),
        json!({"api": at1, "prom": at0})
    );
    assert_eq!(
        event("updated", &items(&["api", "prom", "mail"]), 2_000_000),
        json!({"api": at1, "prom": at0, "mail": at2}),
        "what is there already stays"
    );
    assert_eq!(
        event("rotated", &json!({}), 3_000_000),
        json!({"api": at3, "prom": at3, "mail": at3}),
        "all of them where nothing is said"
    );
}

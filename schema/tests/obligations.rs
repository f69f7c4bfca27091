//! Obligations of the ledger itself that no verdict speaks of: `tests/scenarios/…/elsewhere.txt` names these tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use schema::rule::{Event, World};
use schema::{Catalog, Kind, KindName, Name, Package};
use serde_json::{Map, Value, json};

fn catalog() -> Catalog {
    Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap()
}

fn kind(catalog: &Catalog, name: &str) -> Kind {
    let name: KindName = name.parse().unwrap();
    catalog.kind(&name).unwrap().clone()
}

/// Every rule that is raised by these events about one subject.
fn raised(catalog: &Catalog, kind: &Kind, verb: &str, all: &[Value]) -> Vec<String> {
    let verb = Name::new(verb).unwrap();
    let mut world = World::default();
    let mut raised = Vec::new();
    for (place, data) in all.iter().enumerate() {
        let seq = u64::try_from(place).unwrap();
        let at = 1_785_542_400_000_000 + i64::try_from(place).unwrap();
        let event = Event {
            kind: &kind.name.to_string(),
            verb: verb.as_str(),
            id: &seq.to_string(),
            subject: "production",
            source: "//ci.example/runs",
            actor: "cleo@example.org",
            publisher: "ci",
            context: &Map::new(),
            occurred_us: at,
            recorded_us: at,
            seq,
            data,
        };
        let told = world.apply(catalog, &kind.name, &verb, event);
        raised.extend(told.raised.into_iter().map(|one| one.rule));
    }
    raised
}

/// 004-26: a configuration is kept version by version; no way between two of them is illegal, and a status that
/// somebody sends is no state.
#[test]
fn a_configuration_has_no_lifecycle() {
    let catalog = catalog();
    let kind = kind(&catalog, "release.environment_config");
    assert!(kind.lifecycle.is_none() && !kind.stateless);
    let mut data = kind
        .event(&Name::new("updated").unwrap())
        .unwrap()
        .example();
    let mut versions = vec![data.clone()];
    for status in ["retired", "ready", "provisioning"] {
        data["status"] = json!(status);
        data["commit_sha"] = json!("9c1185a5c5e9fc54612808977ee8f548b2258d31");
        versions.push(data.clone());
    }
    let raised = raised(&catalog, &kind, "updated", &versions);
    assert!(
        !raised.iter().any(|rule| rule.starts_with("transition.")),
        "{raised:?}"
    );
}

/// 004-66: the choice of a rollback target is evidence of a decision. It has no state that anything could read back.
#[test]
fn a_rollback_target_is_evidence_alone() {
    let kind = kind(&catalog(), "release.rollback");
    assert!(kind.stateless && kind.lifecycle.is_none() && kind.fields.is_empty());
}

//! What the documents demand of each kind beyond its fields and states: subject, read model, how long data is kept, what is
//! sensitive, which fields are needed, and the evidence that steps come with.
//!
//! `demands/entities.toml` says it once, as data; its form is explained there.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use schema::identity::Identity;
use schema::kind::{EventDef, Field};
use schema::retention::Retention;
use schema::{Kind, Package};
use serde::Deserialize;
use serde_json::{Map, Value};

type Names = BTreeSet<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demands {
    subject: Option<String>,
    view: String,
    kept: String,
    #[serde(default)]
    sensitive: Names,
    #[serde(default)]
    needs: BTreeMap<String, Names>,
    #[serde(default)]
    guards: BTreeMap<String, Names>,
    #[serde(default)]
    document: Names,
    #[serde(default)]
    otherwise: BTreeMap<String, String>,
}

/// Every kind but the ledger's own, with what is demanded of it.
fn kinds() -> Vec<(Kind, Demands)> {
    let mut demanded: BTreeMap<String, Demands> =
        toml::from_str(include_str!("demands/entities.toml")).unwrap();
    let packages = Package::builtin().expect("the built-in packages load");
    let all = packages.iter().flat_map(Package::kinds);
    let all = all.filter(|kind| kind.name.package.as_str() != "ledger");
    let found: Vec<(Kind, Demands)> = all
        .map(|kind| {
            let name = kind.name.to_string();
            let demands = demanded.remove(&name);
            (
                kind.clone(),
                demands.unwrap_or_else(|| panic!("{name} is not in demands/entities.toml")),
            )
        })
        .collect();
    assert!(demanded.is_empty(), "there is no {:?}", demanded.keys());
    found
}

/// The entity's fields, and those that only its events have.
fn fields(kind: &Kind) -> impl Iterator<Item = &Field> {
    let own = kind.events.iter().flat_map(EventDef::evidence);
    kind.fields.iter().chain(own)
}

fn data(event: &EventDef) -> Map<String, Value> {
    event.example().as_object().cloned().unwrap()
}

fn accepts(event: &EventDef, data: Map<String, Value>) -> bool {
    event
        .check(Value::Object(data).to_string().as_bytes())
        .is_ok()
}

#[test]
fn subjects_views_and_retention_are_as_demanded() {
    for (kind, demands) in kinds() {
        let name = kind.name.to_string();
        let subject = demands
            .subject
            .map(|template| Identity::parse(&template).unwrap());
        assert_eq!(kind.identity, subject, "{name}");
        assert_eq!(kind.view, demands.view, "{name}");
        assert_eq!(
            Some(kind.retention),
            Retention::parse(&demands.kept),
            "{name}"
        );
        let sensitive = fields(&kind).filter(|field| field.sensitive);
        let sensitive: Names = sensitive.map(|field| field.name.clone()).collect();
        assert_eq!(sensitive, demands.sensitive, "{name}");
    }
}

#[test]
fn what_is_needed_is_asked_for_and_nothing_else() {
    for (kind, demands) in kinds() {
        let name = kind.name.to_string();
        for event in &kind.events {
            let wanted = demands.needs.get(event.verb.as_str());
            let wanted = wanted.cloned().unwrap_or_default();
            for field in &event.members.fields {
                let mut without = data(event);
                without.remove(&field.name);
                assert_eq!(
                    accepts(event, without),
                    !wanted.contains(&field.name),
                    "{name}.{} without `{}`",
                    event.verb,
                    field.name
                );
            }
            let unsaid = wanted.iter().find(|one| event.members.find(one).is_none());
            assert_eq!(unsaid, None, "{name}.{}", event.verb);
        }
        let verbs = kind.events.iter().map(|event| event.verb.as_str());
        let verbs: BTreeSet<&str> = verbs.collect();
        let unknown = demands
            .needs
            .keys()
            .find(|verb| !verbs.contains(verb.as_str()));
        assert_eq!(unknown, None, "{name}");
    }
}

#[test]
fn what_a_document_requires_is_asked_for_or_there_is_a_reason() {
    for (kind, demands) in kinds() {
        let name = kind.name.to_string();
        let creating = kind.events.iter().filter(|event| event.creates);
        let needs = creating.filter_map(|event| demands.needs.get(event.verb.as_str()));
        let needs: Names = needs.flatten().cloned().collect();
        let identity = kind.identity.iter().flat_map(Identity::fields);
        let identity: Names = identity.map(str::to_owned).collect();
        for field in &demands.document {
            let known = fields(&kind).any(|one| one.name == *field);
            assert!(known, "{name} has no `{field}`");
            let asked = needs.contains(field) || identity.contains(field);
            assert_ne!(
                asked,
                demands.otherwise.contains_key(field),
                "{name} `{field}`"
            );
        }
        for (field, why) in &demands.otherwise {
            assert!(
                demands.document.contains(field) && !why.is_empty(),
                "{name} `{field}`"
            );
        }
    }
}

#[test]
fn steps_come_with_their_evidence() {
    for (kind, demands) in kinds() {
        for (edge, wanted) in &demands.guards {
            let (from, to) = edge.split_once(" -> ").unwrap();
            let lifecycle = kind.lifecycle.as_ref().unwrap();
            let mut edges = lifecycle.edges.iter();
            assert!(
                edges.any(|one| one.from == from && one.to == to),
                "{} {edge}",
                kind.name
            );
            let leads = |event: &&EventDef| {
                event.to_field.is_some() && !event.creates || event.to.as_deref() == Some(to)
            };
            let says = kind.events.iter().filter(leads);
            let says = says.flat_map(|event| &event.members.fields);
            let says: Names = says.map(|field| field.name.clone()).collect();
            let missing: Vec<&String> = wanted.difference(&says).collect();
            assert!(missing.is_empty(), "{} {edge}: no {missing:?}", kind.name);
        }
    }
}

#[test]
fn every_field_has_a_sentence() {
    for (kind, _) in kinds() {
        for field in fields(&kind) {
            let about = &field.about;
            assert!(
                about.ends_with(['.', '?']) && about.len() >= 4,
                "{} `{}`: {about:?}",
                kind.name,
                field.name
            );
        }
    }
}

//! The kinds that the program brings: all of them load, fit together, and have examples that pass.

#![expect(clippy::panic, reason = "a test says what is wrong by panicking")]

use schema::{Catalog, EventType, LedgerName, Message, Package};
use serde_json::{Map, Value, json};

fn packages() -> Vec<Package> {
    let parsed = Package::builtin_names().map(|name| {
        Package::builtin_named(name).unwrap_or_else(|found| {
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            panic!("package {name} does not load:\n{}", lines.join("\n"))
        })
    });
    parsed.collect()
}

#[test]
fn every_package_loads_and_all_compile_together() {
    let packages = packages();
    assert_eq!(
        packages.len(),
        Package::builtin()
            .expect("the built-in packages load")
            .len()
    );
    let catalog = Catalog::of(&packages, json!({"operators": ["oncall"]})).unwrap();
    assert!(catalog.is_operator(&"oncall".parse().unwrap()));
    for kind in Catalog::bootstrap().kinds() {
        assert_eq!(kind.name.package.as_str(), "ledger");
        assert!(catalog.kind(&kind.name).is_some());
    }
}

#[test]
fn a_package_is_read_back_from_its_text() {
    for package in packages() {
        let again = Package::from_text(package.name(), &package.text()).unwrap();
        assert_eq!(again.digest(), package.digest());
    }
}

#[test]
fn every_example_passes_its_check() {
    for package in packages() {
        for kind in package.kinds() {
            for event in &kind.events {
                let example = event.example().to_string();
                let checked = kind.check(&event.verb, example.as_bytes());
                assert_eq!(checked, Ok(()), "{}.{}: {example}", kind.name, event.verb);
            }
        }
    }
}

/// As a message with a subject of its kind: nothing in it looks like a secret, either.
#[test]
fn every_example_is_read() {
    let catalog = Catalog::of(&packages(), json!({})).unwrap();
    let ledger = LedgerName::new("main").unwrap();
    for kind in catalog.kinds() {
        let mut fields: Map<String, Value> = kind
            .fields
            .iter()
            .map(|field| (field.name.clone(), field.example.clone()))
            .collect();
        for event in &kind.events {
            let data = event.example();
            fields.extend(data.as_object().cloned().unwrap_or_default());
            let made = kind.identity.as_ref().and_then(|one| one.of(&fields));
            let event_type = format!("{}.{}", kind.name, event.verb);
            let body = json!({
                "specversion": "1.0", "id": "1", "source": "urn:example", "type": event_type,
                "subject": made.unwrap_or_else(|| "example-1".to_owned()), "data": data,
            });
            let message = Message {
                nats_subject: format!("ledger.main.ingest.ledger.{event_type}"),
                headers: Vec::new(),
                body: body.to_string().into(),
                stream_seq: 1,
                time_us: 0,
            };
            let read = schema::read(&message, &ledger, &catalog);
            assert!(read.is_ok(), "{read:?}: {body}");
        }
    }
}

#[test]
fn events_are_found_by_their_type() {
    let catalog = Catalog::bootstrap();
    let found = |text| catalog.event(&EventType::parse(text).unwrap()).is_some();
    assert!(found("ledger.chain.started"));
    assert!(found("ledger.chain.started.v1"));
    assert!(!found("ledger.chain.started.v2"));
    assert!(!found("ledger.chain.ended"));
    assert!(!found("platform.environment.created"));
}

#[test]
fn no_example_looks_like_a_secret() {
    let packages = packages();
    let catalog = Catalog::of(&packages, json!({})).unwrap();
    for kind in packages.iter().flat_map(Package::kinds) {
        for event in &kind.events {
            let example = event.example().to_string();
            let found = catalog.patterns().find(example.as_bytes());
            assert!(found.is_none(), "{}.{}: {example}", kind.name, event.verb);
        }
    }
}

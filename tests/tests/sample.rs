//! The sample: what is in it is what it says.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schema::{Catalog, Event, EventType, LedgerName, Message, Package, Refusal};
use serde_json::{Value, json};
use tests::feed;

fn catalog() -> Catalog {
    Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({"operators": []}),
    )
    .expect("the built-in packages fit together")
}

fn read(
    catalog: &Catalog,
    subject: &str,
    headers: &Value,
    body: Vec<u8>,
) -> Result<Event, Refusal> {
    let headers = headers.as_object().into_iter().flatten();
    let message = Message {
        nats_subject: subject.to_owned(),
        headers: headers
            .map(|(name, value)| {
                (
                    name.clone(),
                    Bytes::from(value.as_str().unwrap_or_default().to_owned()),
                )
            })
            .collect(),
        body: body.into(),
        stream_seq: 1,
        time_us: 1_785_704_400_000_000,
    };
    schema::read(&message, &LedgerName::new("main").expect("a name"), catalog)
}

#[test]
fn every_event_of_the_quarter_is_understood() {
    let (catalog, quarter) = (catalog(), feed::quarter());
    for line in quarter.lines() {
        let subject = format!("ledger.main.ingest.platform.{}", feed::type_of(line));
        let understood = read(&catalog, &subject, &Value::Null, line.as_bytes().to_vec());
        assert!(understood.is_ok(), "{understood:?}: {line}");
    }
}

#[test]
fn the_quarter_tells_of_every_kind_and_names_fields_that_there_are() {
    let (catalog, quarter) = (catalog(), feed::quarter());
    assert!(quarter.lines().count() >= 600);
    let mut told = BTreeSet::new();
    for line in quarter.lines() {
        let event_type = EventType::parse(&feed::type_of(line)).expect("a type");
        let (kind, event) = catalog.event(&event_type).expect("a known type");
        let parsed: Value = serde_json::from_str(line).expect("JSON");
        let data = parsed.get("data").and_then(Value::as_object);
        for name in data.expect("data").keys() {
            let known = event.members.find(name).is_some();
            assert!(known, "{event_type} has no field {name}: {line}");
        }
        told.insert(kind.name.to_string());
    }
    let kinds = catalog
        .kinds()
        .filter(|kind| kind.name.package.as_str() != "ledger");
    let silent: Vec<String> = kinds
        .map(|kind| kind.name.to_string())
        .filter(|name| !told.contains(name))
        .collect();
    assert!(silent.is_empty(), "the sample has no {silent:?}");
}

#[test]
fn what_is_broken_is_broken_as_it_says() {
    let catalog = catalog();
    for message in feed::broken() {
        let text = |key: &str| message.get(key).and_then(Value::as_str).expect("a text");
        let body = STANDARD.decode(text("body")).expect("base64");
        let headers = message.get("headers").expect("headers");
        let reason = match read(&catalog, text("subject"), headers, body) {
            // Whether an identity is taken is not seen from the message alone.
            Ok(_) => "recorded",
            Err(refusal) => refusal.reason.as_str(),
        };
        let expected = match text("expect") {
            "duplicate" | "id.conflict" => "recorded",
            other => other,
        };
        assert_eq!(reason, expected, "{}", text("why"));
    }
}

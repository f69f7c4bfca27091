//! The sample: what is in it is what it says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schema::{Catalog, Event, LedgerName, Message, Package, Refusal};
use serde_json::{Value, json};
use tests::feed;

fn catalog() -> Catalog {
    Catalog::of(&Package::builtin(), json!({"operators": []}))
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
    assert!(quarter.lines().count() >= 200);
    for line in quarter.lines() {
        let subject = format!("ledger.main.ingest.platform.{}", feed::type_of(line));
        let understood = read(&catalog, &subject, &Value::Null, line.as_bytes().to_vec());
        assert!(understood.is_ok(), "{understood:?}: {line}");
    }
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

//! `tests/vectors/formats-v1.json`, bit for bit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;

use crate::read;

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn envelopes() {
    let vectors = include_str!("../../../tests/vectors/formats-v1.json");
    let vectors: Value = serde_json::from_str(vectors).expect("the vectors are JSON");
    let envelopes = vectors["envelopes"].as_array().expect("envelopes");
    assert!(!envelopes.is_empty());
    for vector in envelopes {
        let name = text(vector, "name");
        let headers = vector["headers"].as_object().expect("headers");
        let time_us = vector["jetstream_time_us"].as_i64().expect("a time");
        let message = schema::Message {
            nats_subject: text(vector, "nats_subject").to_owned(),
            headers: headers
                .iter()
                .map(|(name, value)| {
                    let value = value.as_str().expect("a header's value");
                    (name.clone(), Bytes::copy_from_slice(value.as_bytes()))
                })
                .collect(),
            body: STANDARD
                .decode(text(vector, "body"))
                .expect("base64")
                .into(),
            stream_seq: 1,
            time_us,
        };
        let expect = &vector["expect"];
        match read(&message) {
            Err(refusal) => {
                assert_eq!(
                    Some(refusal.reason.as_str()),
                    expect["reason"].as_str(),
                    "{name}"
                );
            }
            Ok(event) => {
                for (what, ours) in [
                    ("type", event.event_type.as_str()),
                    ("subject", &event.subject),
                    ("source", &event.source),
                    ("id", &event.id),
                    ("actor", &event.actor),
                    ("context", &event.context),
                    ("publisher", event.publisher.as_str()),
                    ("data", &STANDARD.encode(&event.data)),
                ] {
                    assert_eq!(ours, text(expect, what), "{what} of {name}");
                }
                let recorded_us = expect["recorded_us"].as_i64();
                assert_eq!(recorded_us, Some(time_us), "{name}");
                let occurred_us = event.occurred_us.or(recorded_us);
                assert_eq!(occurred_us, expect["occurred_us"].as_i64(), "{name}");
            }
        }
    }
}

//! The chain of the test vectors, appended.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use ledger::append::Arrival;
use schema::{Event, EventType, Name, Reason, Refusal};

use crate::support::{Fixture, STREAM, arrival, event, message, vectors};

/// The messages that the vectors' chain was made of, and one more behind its last gap.
fn vector_arrivals() -> Vec<Arrival> {
    let vectors = vectors();
    let mut arrivals = Vec::new();
    for vector in vectors["events"].as_array().expect("events") {
        let text = |key: &str| vector[key].as_str().expect("text").to_owned();
        let number = |key: &str| vector[key].as_i64().expect("a number");
        let data = BASE64.decode(text("data")).expect("base64");
        let stream_seq = vector["stream_seq"].as_u64().expect("a number");
        let publisher = text("publisher");
        let mut message = message(stream_seq, &publisher);
        message.time_us = number("recorded_us");
        let read = match text("type").as_str() {
            "ledger.chain.started" | "ledger.stream.gap" => continue,
            "ledger.event.duplicate" => {
                let first: &Arrival = &arrivals[2];
                first.read.clone()
            }
            "ledger.event.quarantined" => {
                let data: serde_json::Value = serde_json::from_slice(&data).expect("JSON");
                let reason = data["reason"]
                    .as_str()
                    .and_then(Reason::parse)
                    .expect("a reason");
                if let Some(body) = data["body"].as_str() {
                    message.body = BASE64.decode(body).expect("base64").into();
                    message.headers = headers(&data["headers"]);
                }
                let subject = data["nats_subject"].as_str();
                let subject = subject.unwrap_or("ledger.main.ingest.Nobody.a.b.c");
                message.nats_subject = subject.into();
                let at = data["at"].as_str().unwrap_or_default().to_owned();
                Err(Refusal { reason, at })
            }
            event_type => Ok(Event {
                publisher: Name::new(&publisher).expect("legal"),
                source: text("source"),
                id: text("id"),
                event_type: EventType::parse(event_type).expect("legal"),
                subject: text("subject"),
                actor: text("actor"),
                context: text("context"),
                occurred_us: Some(number("occurred_us")),
                data: data.into(),
            }),
        };
        arrivals.push(Arrival { message, read });
    }
    arrivals.push(arrival(12, event("after the gap")));
    arrivals
}

fn headers(value: &serde_json::Value) -> Vec<(String, Bytes)> {
    let pair = |header: &serde_json::Value| {
        let value = BASE64
            .decode(header[1].as_str().expect("text"))
            .expect("base64");
        (header[0].as_str().expect("text").to_owned(), value.into())
    };
    value
        .as_array()
        .expect("headers")
        .iter()
        .map(pair)
        .collect()
}

#[tokio::test]
async fn the_vectors_chain_comes_of_the_vectors_messages() {
    let fixture = Fixture::new().await;
    let mut appender = fixture.appender().await;
    appender
        .append(STREAM, vector_arrivals())
        .await
        .expect("appended");
    let records = fixture.records().await;
    let vectors = vectors();
    for (vector, record) in vectors["events"]
        .as_array()
        .expect("events")
        .iter()
        .zip(&records)
    {
        let seq = record.header.seq;
        let hex_of = |key: &str| vector[key].as_str().expect("text").to_owned();
        let body = record.body.as_ref().expect("nothing was deleted");
        assert_eq!(BASE64.encode(&body.data), hex_of("data"), "data {seq}");
        assert_eq!(hex::encode(body.salt), hex_of("salt"), "salt {seq}");
        assert_eq!(
            hex::encode(record.data_commitment),
            hex_of("data_commitment"),
            "{seq}"
        );
        assert_eq!(
            hex::encode(record.event_hash),
            hex_of("event_hash"),
            "{record:?}"
        );
        assert_eq!(hex::encode(record.chain), hex_of("chain"), "chain {seq}");
    }
    assert_eq!(records.len(), 9);
}

//! Messages to publish: believable ones, the sample, and raw bytes.

use std::collections::VecDeque;
use std::fs;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use bytes::Bytes;

use crate::binaries;

/// The subject of a type for the ledger `main`, as published by `terraform`.
pub fn subject(event_type: &str) -> String {
    format!("ledger.main.ingest.terraform.{event_type}")
}

/// A structured event that changes an environment's status; `id` is its identity.
pub fn status_changed(id: &str, environment: &str, from: &str, to: &str) -> String {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "urn:test", "type": "platform.environment.status_changed",
        "subject": environment, "time": "2026-07-01T12:00:00Z", "authid": "ana@example.org",
        "data": {"from": from, "to": to},
    })
    .to_string()
}

/// A structured event that creates an environment.
pub fn created(id: &str, environment: &str) -> String {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "urn:test", "type": "platform.environment.created",
        "subject": environment, "time": "2026-07-01T11:00:00Z", "authid": "ana@example.org",
        "data": {"name": environment, "namespace": format!("env-{environment}"), "status": "provisioning",
                 "quota": {"cpu": "16", "memory": "64Gi", "pods": 250}, "labels": {}},
    })
    .to_string()
}

/// The sample quarter, one `CloudEvent` a line.
pub fn quarter() -> String {
    fs::read_to_string(binaries::checkout().join("ops/samples/quarter.ndjson"))
        .expect("the sample is there")
}

/// The sample's broken messages, as `ops/samples/make_quarter.py` describes them.
pub fn broken() -> Vec<serde_json::Value> {
    let text = fs::read_to_string(binaries::checkout().join("ops/samples/broken.ndjson"));
    let text = text.expect("the sample is there");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// The type of a structured event.
pub fn type_of(event: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
    event
        .get("type")
        .and_then(|text| text.as_str())
        .expect("a type")
        .to_owned()
}

/// Publishes structured events, many in flight, and waits until the server has acknowledged them all. In order.
pub async fn publish(jetstream: &Context, events: impl IntoIterator<Item = String>) -> u64 {
    let messages = events
        .into_iter()
        .map(|event| (subject(&type_of(&event)), event));
    send(jetstream, messages).await
}

/// Publishes bodies on subjects, many in flight, and gives the number of the last in the stream.
pub async fn send<S: Into<String>, B: Into<Bytes>>(
    jetstream: &Context,
    messages: impl IntoIterator<Item = (S, B)>,
) -> u64 {
    let (mut acks, mut last) = (VecDeque::new(), 0);
    for (subject, body) in messages {
        let sent = jetstream.publish(subject.into(), body.into()).await;
        acks.push_back(sent.expect("sent").into_future());
        // The client allows 5000 without an answer, and waits for ever beyond that if nobody reads them.
        if acks.len() >= 2000
            && let Some(ack) = acks.pop_front()
        {
            last = ack.await.expect("acknowledged").sequence;
        }
    }
    for ack in acks {
        last = ack.await.expect("acknowledged").sequence;
    }
    last
}

/// Publishes one message with headers.
pub async fn send_with(
    jetstream: &Context,
    subject: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> u64 {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, *value);
    }
    let sent = jetstream
        .publish_with_headers(subject.to_owned(), map, body.to_vec().into())
        .await;
    sent.expect("sent").await.expect("acknowledged").sequence
}

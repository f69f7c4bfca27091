//! Nothing that a publisher sends stops ingest, or vanishes.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tests::raw::{Raw, head};
use tests::{Installation, binaries, feed};

const SUBJECT: &[u8] = b"ledger.main.ingest.terraform.platform.environment.created";

/// Every message of the stream has its position, and the ledger still answers.
async fn assert_complete(ledger: &Installation) {
    let last = feed::publish(
        &ledger.nats.jetstream().await,
        [feed::created("the last", "staging")],
    )
    .await;
    ledger.settles().await;
    let client = ledger.postgres.connect(&ledger.database).await;
    let row = client
        .query_one(
            "SELECT count(DISTINCT stream_seq), max(stream_seq) FROM ledger.event WHERE seq > 0",
            &[],
        )
        .await
        .expect("counted");
    let (positions, highest): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!(positions, highest, "a message has no position");
    assert!(u64::try_from(highest).expect("a number") >= last);
    let row = client
        .query_one(
            "SELECT count(*) FROM ledger.event WHERE id = 'the last' AND source = 'urn:test'",
            &[],
        )
        .await
        .expect("counted");
    assert_eq!(
        row.get::<_, i64>(0),
        1,
        "what comes after is recorded:\n{}",
        ledger.log()
    );
    let report = ledger.ask(["verify"]).await;
    assert!(
        report["ok"] == true && report["complete"] == true,
        "{report}"
    );
}

#[tokio::test]
async fn what_breaks_clients_does_not_break_ingest() {
    let ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    let mut raw = Raw::connect(&ledger.nats);
    let event = feed::created("fine", "staging");
    let body = event.as_bytes();
    // Headers that are no UTF-8, no headers at all, a status line, and nothing but a colon.
    raw.publish(SUBJECT, &head(&[(b"x-name", b"\xff\xfe")]), body);
    raw.publish(SUBJECT, &head(&[(b"\xff", b"value")]), b"{}");
    raw.publish(SUBJECT, b"NATS/1.0 503 No Responders\r\n\r\n", b"");
    raw.publish(
        SUBJECT,
        b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 1\r\n\r\n",
        b"",
    );
    raw.publish(SUBJECT, b"NATS/1.0 409 Leadership Change\r\n\r\n", body);
    raw.publish(SUBJECT, b"NATS/1.0\r\n: \r\n\r\n", body);
    raw.publish(SUBJECT, b"NATS/1.0\r\nno colon here\r\n\r\n", body);
    raw.publish(SUBJECT, b"NATS/1.0\r\nfolded: a\r\n b\r\n\r\n", body);
    raw.publish(SUBJECT, b"HTTP/1.1\r\n\r\n", body);
    raw.publish(SUBJECT, b"\r\n\r\n", body);
    raw.publish(
        SUBJECT,
        &head(&[
            (b"Nats-Expected-Stream", b"LEDGER-main"),
            (b"Nats-Rollup", b"sub"),
        ]),
        body,
    );
    let long = vec![b'a'; 60_000];
    raw.publish(
        SUBJECT,
        &head(&[(b"ce-specversion", b"1.0"), (b"ce-id", &long)]),
        b"{}",
    );
    // Subjects that are no UTF-8, are nearly empty, or are very long.
    raw.publish(
        b"ledger.main.ingest.\xff.platform.environment.created",
        b"",
        body,
    );
    raw.publish(b"ledger.main.ingest.x", b"", body);
    raw.publish(b"ledger.main.ingest.a.b.c.d.e.f.g.h", b"", body);
    let mut deep = b"ledger.main.ingest".to_vec();
    deep.extend_from_slice(&b".x".repeat(1000));
    raw.publish(&deep, b"", body);
    // Bodies: nothing, one byte of each kind, a megabyte, very deep.
    raw.publish(SUBJECT, b"", b"");
    for byte in [0_u8, b'{', b'"', 0x80, 0xff] {
        raw.publish(SUBJECT, b"", &[byte]);
    }
    raw.publish(SUBJECT, b"", &vec![b'['; 1_000_000]);
    raw.publish(
        SUBJECT,
        &head(&[(b"ce-specversion", b"1.0")]),
        &b"{\"a\":".repeat(100_000),
    );
    raw.flush();
    assert_complete(&ledger).await;
}

#[tokio::test]
async fn the_worked_envelopes_are_read_over_the_wire_as_in_the_formats() {
    let ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    let vectors =
        fs::read(binaries::checkout().join("tests/vectors/formats-v1.json")).expect("the vectors");
    let vectors: Value = serde_json::from_slice(&vectors).expect("JSON");
    let client = ledger.postgres.connect(&ledger.database).await;
    ledger.settles().await;
    for vector in vectors["envelopes"].as_array().expect("a list") {
        let mut raw = Raw::connect(&ledger.nats);
        let mut headers = Vec::new();
        for (name, value) in vector["headers"].as_object().expect("an object") {
            let values = value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()]);
            for value in values {
                headers.push((name.clone(), value.as_str().expect("a text").to_owned()));
            }
        }
        let pairs: Vec<(&[u8], &[u8])> = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        let head = if pairs.is_empty() {
            Vec::new()
        } else {
            head(&pairs)
        };
        let body = STANDARD
            .decode(vector["body"].as_str().expect("a text"))
            .expect("base64");
        let subject = vector["nats_subject"].as_str().expect("a text");
        raw.publish(subject.as_bytes(), &head, &body);
        raw.flush();
        ledger.catches_up().await;
        let row = client
            .query_one(
                "SELECT e.event_type, convert_from(b.data, 'UTF8') FROM ledger.event e JOIN ledger.body b USING (ledger, seq)
                  WHERE e.stream_seq > 0 AND e.publisher <> 'ledger' ORDER BY e.seq DESC LIMIT 1",
                &[],
            )
            .await
            .expect("read");
        let (kind, data): (String, String) = (row.get(0), row.get(1));
        let name = &vector["name"];
        if let Some(reason) = vector["expect"]["reason"].as_str() {
            let data: Value = serde_json::from_str(&data).expect("JSON");
            assert_eq!(kind, "ledger.event.quarantined", "{name}: {data}");
            assert_eq!(data["reason"], reason, "{name}");
        } else if kind == "ledger.event.quarantined" {
            // They stop before a kind's fields are looked at, and their identities repeat.
            let data: Value = serde_json::from_str(&data).expect("JSON");
            let later = ["data.invalid", "id.conflict", "type.unknown"];
            assert!(
                later.contains(&data["reason"].as_str().expect("a reason")),
                "{name}: {data}"
            );
        }
    }
    assert_complete(&ledger).await;
}

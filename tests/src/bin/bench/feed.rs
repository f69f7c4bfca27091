//! The messages that wait in the stream before anything is measured.

use bytes::Bytes;
use serde_json::json;
use tests::Installation;

/// The bytes of an event's data.
const DATA_BYTES: usize = 500;

/// Publishes the messages and waits for every acknowledgement; gives the last number.
pub async fn fill(ledger: &Installation, events: usize) -> u64 {
    let jetstream = ledger.nats.jetstream().await;
    let subject = "ledger.main.ingest.terraform.platform.environment.updated";
    let mut last = 0;
    let mut number = 0;
    while number < events {
        let part: Vec<(&str, Bytes)> = (number..events.min(number + 4096))
            .map(|number| (subject, message(number)))
            .collect();
        number += part.len();
        last = tests::feed::send(&jetstream, part).await;
    }
    last
}

/// A structured event whose data has exactly [`DATA_BYTES`] bytes.
fn message(number: usize) -> Bytes {
    let data =
        |pad: &str| json!({"labels": {"revision": format!("{number:08}"), "pad": pad}}).to_string();
    let pad = "x".repeat(DATA_BYTES - data("").len());
    let id = format!("0198a000-0000-7000-8000-{number:012}");
    let environment = format!("env-{:04}", number % 1000);
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"https://ci.example/terraform","type":"platform.environment.updated","subject":"{environment}","time":"2026-07-01T12:00:00Z","authid":"ci-bot","data":{}}}"#,
        data(&pad)
    )
    .into()
}

//! The program against readers and chains that were written from the formats' description alone, over messages
//! and streams that break its rules: the two must agree, to the last byte.
//!
//! How many, and which, can be set, to look further than a usual run does:
//! `LEDGER_NASTY_SEED=7 LEDGER_NASTY_COUNT=50000 cargo nextest run -p tests --test independent`.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reads the environment and reports by panicking"
)]

mod reader;
mod stream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use schema::{Catalog, LedgerName, Message};
use serde_json::{Value, json};
use tests::binaries;
use tokio::process::Command;

/// A kind whose fields accept whatever JSON the reader lets through.
const ENVIRONMENT: &str = r#"
kind = "platform.environment"
title = "Environment"
about = "What the messages speak of."
subject = "Its name."
view = "environments"
stateless = true
retention = "forever"

[events.created]
about = "It is there."

[events.created.fields.note]
type = "any"
about = "Anything."
example = "x"
"#;

fn catalog() -> Catalog {
    let kind = "platform.environment".parse().expect("a legal name");
    let settings = json!({ "operators": ["oncall"] });
    Catalog::of_kind(&kind, ENVIRONMENT, settings).expect("the kind loads")
}

fn ledger_name() -> LedgerName {
    LedgerName::new("main").expect("a legal name")
}

fn seed() -> u64 {
    let text = std::env::var("LEDGER_NASTY_SEED").unwrap_or_else(|_| "1".to_owned());
    text.parse().expect("LEDGER_NASTY_SEED is a number")
}

/// The lines that a generator prints for this many messages.
async fn generate(script: &str, usual_count: &str) -> Vec<Value> {
    let script = binaries::checkout().join("tests/independent").join(script);
    let count = std::env::var("LEDGER_NASTY_COUNT").unwrap_or_else(|_| usual_count.to_owned());
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args([seed().to_string(), count])
        .output()
        .await;
    let output = output.expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the generator failed: {said}");
    let lines = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let parse = |line: &str| serde_json::from_str(line).expect("a line of JSON");
    lines.lines().map(parse).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn bytes(value: &Value) -> Bytes {
    BASE64.decode(text(value)).expect("base64").into()
}

fn message(line: &Value) -> Message {
    let headers = line["headers"].as_array().expect("an array").iter();
    Message {
        nats_subject: text(&line["nats_subject"]).to_owned(),
        headers: headers
            .map(|pair| (text(&pair[0]).to_owned(), bytes(&pair[1])))
            .collect(),
        body: bytes(&line["body"]),
        stream_seq: line["stream_seq"].as_u64().unwrap_or(1),
        time_us: line["time_us"].as_i64().unwrap_or(0),
    }
}

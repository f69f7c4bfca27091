//! Reading inbound messages: the vectors, the order of reasons, what `at` names, hostile input.

mod hostile;
mod order;
mod vectors;
mod who;

use std::sync::LazyLock;

use bytes::Bytes;
use schema::{Catalog, Event, LedgerName, Message, Reason, Refusal};
use serde_json::json;

/// A kind that accepts the vectors' data, which stop before a kind's fields.
const ENVIRONMENT: &str = r#"
kind = "platform.environment"
title = "Environment"
about = "What the vectors speak of."
subject = "Its name."
view = "environments"
stateless = true
retention = "forever"

[events.created]
about = "It is there."

[events.created.fields.name]
type = "string"
about = "Its name."
example = "staging"

[events.created.fields.quota]
type = "map"
of = { type = "any" }
about = "What it may use."
example = { cpu = 1 }

[events.created.fields.note]
type = "any"
about = "Anything."
example = "x"

[events.created.fields.at]
type = "timestamp"
about = "When it was there."
example = "2026-08-02T21:00:01Z"

[events.updated]
about = "It is otherwise."
"#;

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let kind = "platform.environment".parse().expect("a legal name");
    let settings = json!({ "operators": ["oncall"] });
    Catalog::of_kind(&kind, ENVIRONMENT, settings).expect("the test's kind loads")
});

const SUBJECT: &str = "ledger.main.ingest.terraform.platform.environment.created";

fn message(subject: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Message {
    Message {
        nats_subject: subject.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes())))
            .collect(),
        body: body.into(),
        stream_seq: 1,
        time_us: 0,
    }
}

fn read(message: &Message) -> Result<Event, Refusal> {
    schema::read(
        message,
        &LedgerName::new("main").expect("a legal name"),
        &CATALOG,
    )
}

/// Reads a structured message that was published to the usual subject.
fn structured(body: &str) -> Result<Event, Refusal> {
    read(&message(SUBJECT, &[], body.to_owned()))
}

/// A structured message with these members after the usual ones, up to the closing brace.
fn with(members: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"1","source":"urn:tf","type":"platform.environment.created","subject":"staging"{members}}}"#
    )
}

/// A binary message with these headers beside the usual ones.
fn binary(headers: &[(&str, &str)], body: &str) -> Message {
    let usual = [
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "urn:tf"),
        ("ce-type", "platform.environment.created"),
        ("ce-subject", "staging"),
    ];
    let all: Vec<_> = usual.into_iter().chain(headers.iter().copied()).collect();
    message(SUBJECT, &all, body.to_owned())
}

fn refused(reason: Reason, at: &str) -> Result<Event, Refusal> {
    Err(Refusal {
        reason,
        at: at.to_owned(),
    })
}

/// Looks like a secret, put together so that this file does not.
fn secret() -> String {
    format!("AGE-SECRET-KEY-1{}", "Q".repeat(58))
}

//! One message, read by `read_message.py` and by us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schema::{Event, Reason, Refusal};
use serde_json::{Value, json};

use crate::{bytes, catalog, generate, ledger_name, message, seed};

/// In the form in which the other reader prints it.
fn outcome(read: Result<Event, Refusal>) -> Value {
    match read {
        Ok(event) => json!({
            "publisher": event.publisher.as_str(), "source": event.source, "id": event.id,
            "type": event.event_type.as_str(), "subject": event.subject, "actor": event.actor,
            "context": event.context, "occurred_us": event.occurred_us, "data": BASE64.encode(&event.data),
        }),
        Err(refusal) => json!({ "reason": refusal.reason.as_str(), "at": refusal.at }),
    }
}

/// The other reader knows no kinds: what it takes for an event may still fail for its kind.
fn agree(expect: &Value, read: &Result<Event, Refusal>) -> bool {
    let stopped_at_kind = read
        .as_ref()
        .is_err_and(|refusal| matches!(refusal.reason, Reason::TypeUnknown | Reason::DataInvalid));
    if stopped_at_kind {
        return expect.get("reason").is_none();
    }
    *expect == outcome(read.clone())
}

/// The message in a form that a person can read.
fn shown(mut case: Value) -> String {
    let lossy = |value: &Value| Value::from(String::from_utf8_lossy(&bytes(value)).into_owned());
    for header in case["headers"].as_array_mut().expect("an array") {
        header[1] = lossy(&header[1]);
    }
    case["body"] = lossy(&case["body"]);
    case.to_string().chars().take(1000).collect()
}

#[tokio::test]
async fn what_nobody_should_send_is_read_alike() {
    let cases = generate("nasty_messages.py", "3000").await;
    let (catalog, ledger, total) = (catalog(), ledger_name(), cases.len());
    let (mut events, mut differing) = (0, Vec::new());
    for mut case in cases {
        let read = schema::read(&message(&case), &ledger, &catalog);
        let expect = case["expect"].take();
        events += usize::from(read.is_ok());
        if !agree(&expect, &read) {
            let ours = outcome(read);
            differing.push(format!("{}\n  they: {expect}\n  we:   {ours}", shown(case)));
        }
    }
    assert!(
        events > total / 20,
        "only {events} of {total} messages were events"
    );
    let few = differing.get(..differing.len().min(20)).unwrap_or_default();
    assert!(
        differing.is_empty(),
        "seed {}: {} of {total} messages are read differently:\n{}",
        seed(),
        differing.len(),
        few.join("\n")
    );
}

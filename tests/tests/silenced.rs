//! Silencing from end to end: what no kind file declares can be silenced too, but for what says that somebody acts as the
//! ledger.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use serde_json::{Value, json};
use tests::{Installation, Nats, Postgres, feed};

async fn installed() -> Installation {
    let mut ledger = Installation::bare(Postgres::start().await, Nats::start().await).await;
    ledger.configure("ledger.example/main", "[catalog]\noperators = \"oncall\"");
    ledger.run(["init"]).await.expect(0);
    ledger
}

/// An event that its publisher has given this number.
fn numbered(number: u64) -> String {
    let event = feed::created(&format!("n{number}"), &format!("env-{number}"));
    let mut event: Value = serde_json::from_str(&event).expect("JSON");
    event["sequence"] = json!(number.to_string());
    event.to_string()
}

async fn publish(ledger: &Installation, events: Vec<String>) {
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
}

/// What became of the violation of this rule with this key, and by which position.
async fn became(ledger: &Installation, rule: &str, of: &str) -> (Value, Value, Value) {
    let listed = ledger.ask(["violations", "--rule", rule]).await;
    let all = listed.as_array().expect("a list").iter();
    let found: Vec<&Value> = all
        .filter(|one| one["detail_key"] == of || one["id"] == of)
        .collect();
    let [one] = found.as_slice() else {
        panic!("{of}: {listed}");
    };
    (
        one["status"].clone(),
        one["how"].clone(),
        one["by_seq"].clone(),
    )
}

async fn decide(ledger: &Installation, arguments: &[&str]) -> Value {
    let always = ["--by", "cleo", "--publisher", "oncall", "--reason", "r"];
    let said = ledger.ask([arguments, &always].concat()).await;
    ledger.settles().await;
    said["seq"].clone()
}

#[tokio::test]
async fn what_no_kind_file_declares_is_silenced_and_heard_again() {
    let ledger = installed().await;
    let _serving = ledger.serve().await;
    let open = (json!("open"), Value::Null, Value::Null);
    let silenced = |by: &Value| (json!("cleared"), json!("silenced"), by.clone());

    publish(&ledger, vec![numbered(1), numbered(3)]).await;
    let gap = "publisher.gap";
    assert_eq!(became(&ledger, gap, "terraform urn:test#2").await, open);
    let by = decide(&ledger, &["rule", "silence", gap, "--for", "1d"]).await;
    publish(&ledger, vec![numbered(5)]).await;
    let at_4 = became(&ledger, gap, "terraform urn:test#4").await;
    assert_eq!(at_4, silenced(&by));
    decide(&ledger, &["rule", "unsilence", gap]).await;
    publish(&ledger, vec![numbered(7)]).await;
    assert_eq!(became(&ledger, gap, "terraform urn:test#6").await, open);
    // Of one publisher alone.
    let about = ["--kind", "ledger.publisher", "--id", "terraform"];
    let alone = [&["rule", "silence", gap, "--for", "1d"][..], &about].concat();
    let by = decide(&ledger, &alone).await;
    publish(&ledger, vec![numbered(9)]).await;
    let at_8 = became(&ledger, gap, "terraform urn:test#8").await;
    assert_eq!(at_8, silenced(&by));

    // The lifecycle's, too.
    let illegal = "transition.illegal";
    let by = decide(&ledger, &["rule", "silence", illegal, "--for", "1d"]).await;
    let moved = |id, of| feed::status_changed(id, of, "provisioning", "retired");
    publish(&ledger, vec![moved("m1", "env-1")]).await;
    let first = became(&ledger, illegal, "env-1").await;
    assert_eq!(first, silenced(&by));
    decide(&ledger, &["rule", "unsilence", illegal]).await;
    publish(&ledger, vec![moved("m2", "env-3")]).await;
    assert_eq!(became(&ledger, illegal, "env-3").await, open);

    assert_eq!(ledger.ask(["verify", "--rules"]).await["ok"], json!(true));
}

#[tokio::test]
async fn nobody_silences_what_says_that_somebody_acts_as_the_ledger() {
    let ledger = installed().await;
    let _serving = ledger.serve().await;
    for rule in schema::rule::silence::NEVER {
        let ran = ledger
            .run(["rule", "silence", rule, "--for", "1d", "--reason", "r"])
            .await
            .expect(2);
        let said = format!("{rule} cannot be silenced");
        assert!(ran.err.contains(&said), "{}", ran.err);
    }
    // Published past the command, it is said, and changes nothing.
    let jetstream = ledger.nats.jetstream().await;
    let own = |event_type: &str, subject: &str, data: Value| {
        let event = json!({
            "specversion": "1.0", "id": subject, "source": "ledger://main", "type": event_type,
            "subject": subject, "data": data,
        });
        event.to_string()
    };
    let mut silence: Value = serde_json::from_str(&own(
        "ledger.rule.silenced",
        "verdict.unexpected",
        json!({"rule": "verdict.unexpected", "reason": "r"}),
    ))
    .expect("JSON");
    silence["source"] = json!("urn:test");
    let forged = own(
        "ledger.incident.opened",
        "forged",
        json!({"incident": "forged", "class": "c", "severity": "critical", "kind": "platform.environment",
               "id": "staging", "causes": [0], "reopens": null}),
    );
    for (publisher, event) in [("oncall", silence.to_string()), ("ledger", forged)] {
        let subject = format!("ledger.main.ingest.{publisher}.{}", feed::type_of(&event));
        feed::send(&jetstream, [(subject, event)]).await;
        ledger.settles().await;
    }
    let open = (json!("open"), Value::Null, Value::Null);
    let told = became(&ledger, "rule.not_silenceable", "verdict.unexpected").await;
    assert_eq!(told, open);
    assert_eq!(became(&ledger, "verdict.unexpected", "forged").await, open);
}

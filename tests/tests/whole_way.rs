//! The whole way of one event, from a publisher's message to a state, a verdict and a proof.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use serde_json::{Value, json};
use tests::program::eventually;
use tests::{Installation, Nats, Postgres, feed};

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no text {key:?} in {value}"))
}

#[tokio::test]
async fn an_event_becomes_a_state_a_receipt_and_a_proof() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let event = feed::created("one", "staging");

    let published = ledger
        .run_with(["publish", "--wait", "-o", "ndjson", "-"], &event)
        .await
        .expect(0);
    let published = published.json();
    assert_eq!(
        (text(&published, "id"), text(&published, "status")),
        ("one", "recorded")
    );
    let seq = published["seq"].as_u64().expect("a position");

    let log = ledger.ask(["log"]).await;
    let line = log
        .as_array()
        .expect("a list")
        .iter()
        .find(|line| line["seq"] == seq)
        .expect("in the log")
        .clone();
    assert_eq!(text(&line, "type"), "platform.environment.created");
    assert_eq!(text(&line, "publisher"), "terraform");
    assert_eq!(text(&line, "actor"), "ana@example.org");
    assert_eq!(text(&line, "occurred_at"), "2026-07-01T11:00:00Z");
    assert_eq!(line["data"]["name"], "staging");

    eventually("the state is there", async || {
        let state = ledger
            .run(["state", "platform.environment", "staging", "-o", "json"])
            .await;
        state.code == 0 && state.out.contains("provisioning")
    })
    .await;
    ledger.settles().await;
    let report = ledger.ask(["verify"]).await;
    assert_eq!(
        (&report["ok"], &report["complete"]),
        (&json!(true), &json!(true)),
        "{report}"
    );
    assert_eq!(report["checkpoint_size"], report["size"]);

    // The receipt: the same event with its position.
    let out = ledger
        .nats
        .jetstream()
        .await
        .get_stream("LEDGER-main-OUT")
        .await
        .expect("the outgoing stream");
    let subject = "ledger.main.event.terraform.platform.environment.created";
    let receipt = out
        .get_last_raw_message_by_subject(subject)
        .await
        .expect("a receipt");
    let receipt: Value = serde_json::from_slice(&receipt.payload).expect("JSON");
    assert_eq!(
        (text(&receipt, "id"), &receipt["ledgerseq"]),
        ("one", &json!(i32::try_from(seq).expect("small")))
    );
    assert_eq!(text(&receipt, "ledgerpublisher"), "terraform");
    let head = out
        .get_last_raw_message_by_subject("ledger.main.checkpoint")
        .await
        .expect("a signed head");
    assert!(String::from_utf8_lossy(&head.payload).starts_with("ledger.example/main\n"));
    assert_eq!(
        serving.stop().await,
        0,
        "SIGTERM ends it well:\n{}",
        ledger.log()
    );
}

#[tokio::test]
async fn what_is_wrong_is_recorded_and_judged() {
    let ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    let conflict = feed::status_changed("2", "staging", "provisioning", "retired");
    feed::publish(
        &jetstream,
        [
            feed::created("1", "staging"),
            feed::status_changed("2", "staging", "provisioning", "ready"),
            feed::status_changed("2", "staging", "provisioning", "ready"),
            conflict,
            feed::status_changed("3", "staging", "ready", "recovering"),
        ],
    )
    .await;
    feed::send(
        &jetstream,
        [(
            feed::subject("platform.environment.updated"),
            "no JSON at all",
        )],
    )
    .await;
    ledger.settles().await;

    let log = ledger.ask(["log"]).await;
    let types: Vec<&str> = log
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| text(line, "type"))
        .collect();
    assert!(types.contains(&"ledger.event.duplicate"), "{types:?}");

    let refused = ledger.ask(["quarantine"]).await;
    let reasons: Vec<&str> = refused
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| text(line, "reason"))
        .collect();
    assert_eq!(reasons, ["id.conflict", "envelope.mode"]);

    // Illegal, and yet the state follows the fact.
    let state = ledger
        .ask(["state", "platform.environment", "staging"])
        .await;
    let state = state.get(0).unwrap_or(&state).clone();
    assert_eq!(text(&state, "status"), "recovering");
    let history = ledger
        .ask(["history", "platform.environment", "staging"])
        .await;
    let legal: Vec<bool> = history
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|line| line["legal"].as_bool())
        .collect();
    assert_eq!(legal, [true, true, false]);

    let violations = ledger
        .ask(["violations", "--rule", "transition.illegal"])
        .await;
    let [violation] = violations.as_array().expect("a list").as_slice() else {
        panic!("one violation is expected: {violations}");
    };
    assert_eq!(
        (text(violation, "rule"), text(violation, "id")),
        ("transition.illegal", "staging")
    );
    assert_eq!(text(violation, "status"), "open");
    // It went out by the front door and stands in the chain.
    assert!(types_of(&ledger.ask(["log"]).await).contains(&"ledger.violation.raised".to_owned()));
    assert_eq!(ledger.ask(["verify"]).await["ok"], true);
}

fn types_of(log: &Value) -> Vec<String> {
    log.as_array()
        .expect("a list")
        .iter()
        .map(|line| text(line, "type").to_owned())
        .collect()
}

#[tokio::test]
async fn what_looks_like_a_secret_leaves_the_stream_once_it_is_sealed() {
    let mut ledger = Installation::bare(Postgres::start().await, Nats::start().await).await;
    ledger.configure("ledger.example/main", "[stream]\nsecret_seconds = 1");
    ledger.run(["init"]).await.expect(0);
    let serving = ledger.serve().await;
    let secret = format!("AGE-SECRET-KEY-1{}", "Q".repeat(58));
    let event = feed::created("leak", "staging").replace("env-staging", &secret);
    let jetstream = ledger.nats.jetstream().await;
    let subject = "ledger.main.ingest.terraform.platform.environment.created";
    let sent = jetstream
        .publish(subject, event.into())
        .await
        .expect("sent");
    let number = sent.await.expect("acknowledged").sequence;
    let stream = jetstream
        .get_stream("LEDGER-main")
        .await
        .expect("it is there");
    eventually("the message is gone from the stream", async || {
        stream.get_raw_message(number).await.is_err()
    })
    .await;
    ledger.settles().await;
    let refused = ledger.ask(["quarantine"]).await;
    assert_eq!(text(&refused[0], "reason"), "payload.secret_suspected");
    assert!(
        !refused.to_string().contains("QQQQ"),
        "nothing of it is shown"
    );
    assert_eq!(ledger.ask(["verify"]).await["ok"], json!(true));
    drop(serving);
}

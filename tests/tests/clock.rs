//! The clock: what is due is found where nothing else happens, once, and across restarts.
#![allow(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reports by panicking, and this one is about real time"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::Installation;
use tests::program::eventually;

const LATE: &str = "alert.ack_over_5m";
/// Within which an alert is acknowledged, in seconds: the setting `slo.alert_ack`.
const ACK_S: u64 = 300;

/// An alert that fired long enough ago to be due so many seconds from now.
fn alert(fingerprint: &str, due_in_s: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let due = now.expect("after 1970") + Duration::from_secs(due_in_s);
    let fired = due.saturating_sub(Duration::from_secs(ACK_S));
    let fired_us = i64::try_from(fired.as_micros()).expect("before 2262");
    json!({
        "specversion": "1.0", "id": format!("fired-{fingerprint}"), "source": "urn:test", "type": "platform.alert.fired",
        "subject": fingerprint, "authid": "ana@example.org", "time": schema::time::format_us(fired_us),
        "data": { "fingerprint": fingerprint, "alert": "NodeDown", "severity": "critical" },
    })
    .to_string()
}

async fn late(ledger: &Installation, fingerprint: &str) -> Option<Value> {
    let all = ledger.ask(["violations"]).await;
    let of =
        |one: &&Value| one["rule"] == LATE && one["id"] == fingerprint && !one["seq"].is_null();
    all.as_array().expect("a list").iter().find(of).cloned()
}

async fn until_late(ledger: &Installation, fingerprint: &str) -> Value {
    let mut found = None;
    eventually(
        &format!("{fingerprint} is late, and the chain says so"),
        async || {
            found = late(ledger, fingerprint).await;
            found.is_some()
        },
    )
    .await;
    found.expect("it was found")
}

async fn ticks(ledger: &Installation) -> Vec<Value> {
    let all = ledger.ask(["log", "--limit", "1000"]).await;
    let all = all.as_array().expect("a list").iter();
    all.filter(|one| one["type"] == "ledger.beat.ticked")
        .cloned()
        .collect()
}

#[tokio::test]
async fn what_is_due_is_found_where_nothing_else_happens() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    ledger
        .run_with(["publish", "--wait", "-"], &alert("one", 5))
        .await
        .expect(0);
    eventually("it is known when something is due", async || {
        let status = ledger.ask(["status"]).await;
        status["roles"]["clock"] == "running" && status["next_due_at"].is_string()
    })
    .await;

    let found = until_late(&ledger, "one").await;
    let ticked = ticks(&ledger).await;
    let seqs: Vec<&Value> = ticked.iter().map(|one| &one["seq"]).collect();
    assert!(seqs.contains(&&found["cause_seq"]), "{found} {ticked:?}");
    assert!(ticked.len() <= 2, "{ticked:?}");
    assert_eq!(ticked[0]["publisher"], "ledger");

    // Both processes want the clock's role, and one has it. While neither runs, something else is due.
    let other = ledger.serve_roles(&["clock"]);
    ledger
        .run_with(["publish", "--wait", "-"], &alert("two", 2))
        .await
        .expect(0);
    assert_eq!(serving.stop().await, 0);
    assert_eq!(other.stop().await, 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = ticks(&ledger).await.len();
    let serving = ledger.serve().await;
    until_late(&ledger, "two").await;
    let size = ledger.settles().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        ledger.size().await,
        size,
        "nothing is due any more, so nothing ticks"
    );
    assert!(ticks(&ledger).await.len() <= before + 2);
    let tasks = ledger.ask(["tasks", "list"]).await;
    assert_eq!(tasks.as_array().map(Vec::len), Some(2), "{tasks}");
    assert_eq!(
        (&tasks[0]["class"], &tasks[0]["kind"]),
        (&json!("alert_escalation"), &json!("platform.alert"))
    );
    classes_are_told_apart(&ledger).await;
    let all = ledger.ask(["violations"]).await;
    assert!(!all.to_string().contains("verdict.unexpected"), "{all}");
    assert_eq!(serving.stop().await, 0);
    ledger.run(["verify"]).await.expect(0);
}

/// A task of another class: of each class the first one is found, wherever it stands among all of them.
async fn classes_are_told_apart(ledger: &Installation) {
    let rotation = "4faf670a-9a93-47f3-81fc-f6a04f58dbb5";
    let event = json!({
        "specversion": "1.0", "id": "verified", "source": "urn:test", "type": "cluster.secret_rotation.verified",
        "subject": rotation, "authid": "ana@example.org", "time": "2026-01-01T00:00:00Z",
        "data": { "rotation_id": rotation, "rotation_scope": "tailscale", "next_rotation_due": "2026-02-01T00:00:00Z" },
    });
    ledger
        .run_with(["publish", "--wait", "-"], &event.to_string())
        .await
        .expect(0);
    ledger.settles().await;
    for class in ["alert_escalation", "rotation_due"] {
        let of_class = ["tasks", "list", "--class", class, "-n", "1"];
        let found = ledger.ask(of_class).await;
        let classes: Vec<&Value> = found
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| &one["class"])
            .collect();
        let log = ledger.ask(["log", "--reverse", "-n", "8"]).await;
        assert_eq!(classes, [&json!(class)], "{found} {log}");
    }
}

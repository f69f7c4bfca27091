//! Settings of rules are changed by the configuration and an activation, and judge what comes from there on.
#![allow(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reports by panicking, and one part of it is about real time"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::program::eventually;
use tests::{Installation, feed};

const RUNS: [&str; 2] = [
    "6f1c1f7e-7c1b-4a54-9a3e-000000000001",
    "6f1c1f7e-7c1b-4a54-9a3e-000000000002",
];

/// A rebuild that took so many minutes.
fn rebuild(run: &str, minutes: u32) -> [String; 2] {
    let event = |what: &str, time: String, data: Value| {
        json!({
            "specversion": "1.0", "id": format!("{run}-{what}"), "source": "urn:test", "subject": run,
            "type": format!("cluster.provisioning_run.{what}"), "authid": "ana@example.org", "time": time, "data": data,
        })
        .to_string()
    };
    let (began, ended) = (
        "2026-07-01T12:00:00Z",
        format!("2026-07-01T12:{minutes}:00Z"),
    );
    let started = json!({
        "run_id": run, "trigger_type": "rebuild", "initiated_by": "ana@example.org", "git_commit": "58d1a8bb",
        "ansible_diff_path": "evidence/1.diff", "opentofu_plan_path": "evidence/1.plan", "started_at": began,
        "nodes": [{"node_id": "pi-1", "role": "worker"}],
    });
    let done = json!({"run_id": run, "completed_at": ended, "duration_minutes": minutes});
    [
        event("started", began.to_owned(), started),
        event("succeeded", ended.clone(), done),
    ]
}

/// An alert that fired so many seconds from now.
fn alert(fingerprint: &str, in_s: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_us = i64::try_from(now.expect("after 1970").as_micros()).expect("before 2262");
    let fired = schema::time::format_us(now_us + in_s * 1_000_000);
    json!({
        "specversion": "1.0", "id": fingerprint, "source": "urn:test", "type": "platform.alert.fired",
        "subject": fingerprint, "authid": "ana@example.org", "time": fired,
        "data": { "fingerprint": fingerprint, "alert": "NodeDown", "severity": "critical" },
    })
    .to_string()
}

/// Who broke a rule, once the verdicts are in the chain.
async fn broken(ledger: &Installation, rule: &str) -> Vec<String> {
    ledger.settles().await;
    let all = ledger.ask(["violations", "--rule", rule]).await;
    let all = all.as_array().expect("a list").iter();
    all.map(|one| one["id"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test]
async fn a_setting_that_is_activated_judges_what_comes_after_it() {
    let mut ledger = Installation::start().await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    feed::publish(&jetstream, rebuild(RUNS[0], 45)).await;
    // By the default it is late in nine minutes: as far ahead as a claimed time may be, and five minutes.
    feed::publish(&jetstream, [alert("early", 240)]).await;
    assert!(broken(&ledger, "run.rebuild_over_60m").await.is_empty());
    assert!(broken(&ledger, "alert.ack_over_5m").await.is_empty());

    // It says nothing while it is not activated; what is out of bounds is refused with the setting's name.
    let configure = |ledger: &mut Installation, limit: &str, ack: &str| {
        let more = format!(
            "[settings.limit]\nrebuild_minutes = {limit}\n[settings.slo]\nalert_ack = \"{ack}\""
        );
        ledger.configure("ledger.example/main", &more);
    };
    configure(&mut ledger, "0", "9s");
    let refused = ledger.run(["catalog", "activate"]).await.expect(2);
    for word in ["limit.rebuild_minutes", "slo.alert_ack", "9s", "10s"] {
        assert!(refused.err.contains(word), "{word}: {}", refused.err);
    }
    configure(&mut ledger, "30", "10s");
    ledger.run(["catalog", "activate"]).await.expect(0);
    ledger.settles().await;
    let log = ledger
        .ask(["log", "--type", "ledger.catalog.activated"])
        .await;
    let said = &log
        .as_array()
        .expect("a list")
        .last()
        .expect("an activation")["data"]["settings"];
    assert_eq!(
        (&said["limit"]["rebuild_minutes"], &said["slo"]["alert_ack"]),
        (&json!(30), &json!("10s")),
        "{log}"
    );

    feed::publish(&jetstream, rebuild(RUNS[1], 45)).await;
    feed::publish(&jetstream, [alert("late", -30)]).await;
    eventually("the alert is late by the new setting", async || {
        broken(&ledger, "alert.ack_over_5m").await == ["late"]
    })
    .await;
    // What was recorded before is judged by the settings of its time.
    assert_eq!(broken(&ledger, "run.rebuild_over_60m").await, [RUNS[1]]);
    let report = ledger.ask(["verify", "--rules"]).await;
    assert_eq!(report["ok"], true, "{report}");
    ledger.run(["rebuild"]).await.expect(0);
    assert_eq!(broken(&ledger, "run.rebuild_over_60m").await, [RUNS[1]]);
    assert_eq!(serving.stop().await, 0);
}

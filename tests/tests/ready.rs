//! `/readyz` and `ledger status`: who waits for what, and what is about to be lost.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::time::Duration;

use serde_json::Value;
use tests::program::eventually;
use tests::{Installation, feed};

const ROLES: [&str; 6] = ["ingest", "project", "outbox", "clock", "seal", "notify"];

/// The status line's code and the body.
async fn ready(installation: &Installation) -> (String, Value) {
    let answer = installation.http("/readyz").await;
    let code = answer.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code, serde_json::from_str(body).unwrap_or_default())
}

/// Waits until these roles wait for something that this word names, and the others run.
async fn until_waiting(installation: &Installation, waiting: &[&str], word: &str) {
    eventually(&format!("{waiting:?} wait for {word}"), async || {
        let (code, said) = ready(installation).await;
        let as_it_should = |role: &&str| {
            let (state, why) = (&said["roles"][role]["state"], &said["roles"][role]["why"]);
            if waiting.contains(role) {
                state == "waiting" && why.as_str().is_some_and(|why| why.contains(word))
            } else {
                state == "running"
            }
        };
        let all = ROLES.iter().all(as_it_should);
        all && code == "503" && said["ready"] == false
    })
    .await;
}

async fn until_ready(installation: &Installation) {
    eventually("it is ready again", async || {
        ready(installation).await.0 == "200"
    })
    .await;
}

#[tokio::test]
async fn every_role_says_which_server_it_waits_for() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let plain = ledger.http("/readyz?plain").await;
    assert!(
        plain.contains("\r\n\r\nready\n") && plain.contains("notify   running"),
        "{plain}"
    );
    let status = ledger.ask(["status"]).await;
    assert_eq!(
        (&status["ready"], &status["roles"]["seal"]),
        (&true.into(), &"running".into())
    );
    assert_eq!(status["problems"], serde_json::json!([]));

    ledger.nats.stop();
    until_waiting(
        &ledger,
        &["ingest", "outbox", "clock", "seal", "notify"],
        "NATS",
    )
    .await;
    let plain = ledger.http("/readyz?plain").await;
    assert!(
        plain.contains("\r\n\r\nnot ready\n") && plain.contains("notify   waiting"),
        "{plain}"
    );
    let away = ledger.run(["status"]).await.expect(6);
    assert!(away.err.contains("NATS"), "{}", away.err);
    ledger.nats.restart().await;
    until_ready(&ledger).await;

    ledger.postgres.stop();
    until_waiting(&ledger, &ROLES, "PostgreSQL").await;
    ledger.run(["status"]).await.expect(6);
    ledger.postgres.restart().await;
    until_ready(&ledger).await;
    let published = ledger
        .run_with(["publish", "--wait", "-"], &feed::created("one", "staging"))
        .await;
    assert!(published.expect(0).out.contains("recorded"));
    assert_eq!(serving.stop().await, 0);
}

#[tokio::test]
async fn messages_that_grow_old_unread_are_complained_of() {
    let ledger = Installation::start().await;
    let js = ledger.nats.jetstream().await;
    let stream = js.get_stream("LEDGER-main").await.expect("the stream");
    let mut config = stream.cached_info().config.clone();
    config.max_age = Duration::from_secs(8);
    config.duplicate_window = Duration::from_secs(8);
    js.update_stream(config).await.expect("changed");
    let full = ledger.serve().await;
    ledger.catches_up().await;
    assert_eq!(full.stop().await, 0);
    // Nobody reads the stream now.
    let _serving = ledger.serve_roles(&["project", "http"]);
    until_ready(&ledger).await;
    ledger
        .run_with(["publish", "-"], &feed::created("one", "staging"))
        .await
        .expect(0);
    let mut status = Value::Null;
    eventually("half of its time is gone", async || {
        status = ledger.ask(["status"]).await;
        status["problems"]
            .to_string()
            .contains("the stream keeps messages for 8 s")
    })
    .await;
    assert_eq!(
        (&status["pending"], &status["expired"]),
        (&1.into(), &0.into())
    );
    eventually("/readyz says so, too", async || {
        let (code, said) = ready(&ledger).await;
        code == "503"
            && said["why"]
                .as_str()
                .is_some_and(|why| why.contains("was not read"))
    })
    .await;
    eventually("it is gone unread", async || {
        let (code, said) = ready(&ledger).await;
        code == "503"
            && said["why"]
                .as_str()
                .is_some_and(|why| why.contains("no longer has 1 message"))
    })
    .await;
}

#[tokio::test]
async fn a_database_that_only_reads_is_waited_for() {
    let ledger = Installation::start().await;
    let admin = ledger.postgres.connect("postgres").await;
    let set = |how: &str| format!("ALTER DATABASE {} {how}", ledger.database);
    let read_only = set("SET default_transaction_read_only = on");
    admin.batch_execute(&read_only).await.expect("set");
    let serving = ledger.serve_unready();
    until_waiting(&ledger, &["ingest", "project", "seal"], "read-only").await;

    let both = set("RESET default_transaction_read_only");
    admin.batch_execute(&both).await.expect("reset");
    // A session keeps what it began with.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    admin.query(cut, &[&ledger.database]).await.expect("cut");
    until_ready(&ledger).await;
    assert!(!ledger.log().contains(" stopped: "), "{}", ledger.log());
    assert_eq!(serving.stop().await, 0);
}

//! A process with some of the roles: it is ready once those do their work, and says nothing of the others.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::time::Duration;

use serde_json::Value;
use tests::program::eventually;
use tests::{Installation, feed};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const ROLES: [&str; 7] = [
    "ingest", "project", "outbox", "clock", "seal", "notify", "retain",
];

async fn ready_with(ledger: &Installation, roles: &[&str]) {
    let mut said = String::new();
    eventually(&format!("a process with {roles:?} is ready"), async || {
        said = ledger.http("/readyz").await;
        said.starts_with("HTTP/1.1 200")
    })
    .await;
    let body = said.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).expect("JSON");
    let states = body["roles"].as_object().expect("roles");
    let mut wanted = roles.to_vec();
    wanted.sort_unstable();
    let found: Vec<&str> = states.keys().map(String::as_str).collect();
    assert_eq!(found, wanted, "{said}");
    for (role, state) in states {
        assert_eq!(state["state"], "running", "{role}: {said}");
    }
}

/// With events to read, verdicts to publish, deadlines and heads that wait for whoever has the other roles.
#[tokio::test]
async fn a_process_with_any_of_the_roles_is_ready() {
    let ledger = Installation::start().await;
    let full = ledger.serve().await;
    ledger.settles().await;
    assert_eq!(full.stop().await, 0);
    feed::publish(
        &ledger.nats.jetstream().await,
        feed::quarter().lines().take(200).map(str::to_owned),
    )
    .await;
    for role in ROLES {
        let serving = ledger.serve_roles(&[role, "http"]);
        ready_with(&ledger, &[role]).await;
        assert_eq!(serving.stop().await, 0, "{role}: {}", ledger.log());
    }
    for absent in ROLES {
        let others: Vec<&str> = ROLES.into_iter().filter(|one| *one != absent).collect();
        let mut roles = others.clone();
        roles.push("http");
        let serving = ledger.serve_roles(&roles);
        ready_with(&ledger, &others).await;
        assert_eq!(
            serving.stop().await,
            0,
            "without {absent}: {}",
            ledger.log()
        );
    }
}

/// Each connection is a process of the server's: who stands by must not begin one for each time that it asks.
#[tokio::test]
async fn a_process_that_stands_by_keeps_its_connections() {
    let ledger = Installation::start().await;
    let active = ledger.serve().await;
    let standby = ledger.serve_roles(&["ingest", "project", "outbox", "clock", "seal"]);
    let client = ledger.postgres.connect("postgres").await;
    let sessions = async || {
        let asked = "SELECT sessions FROM pg_stat_database WHERE datname = $1";
        let row = client.query_one(asked, &[&ledger.database]).await;
        row.expect("asked").get::<_, i64>(0)
    };
    let begun = async || {
        let before = sessions().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        sessions().await - before
    };
    // Five roles that ask twice a second. What is opened at the start is opened some time.
    let mut last = 0;
    eventually("it begins few connections", async || {
        last = begun().await;
        last < 10
    })
    .await;
    assert_eq!(standby.stop().await, 0);
    assert_eq!(active.stop().await, 0);
}

/// Somebody who has sent half a request must not keep the process from ending.
#[tokio::test]
async fn half_a_request_keeps_nobody() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let mut half = TcpStream::connect(("127.0.0.1", ledger.port()))
        .await
        .expect("it listens");
    half.write_all(b"GET /healthz HTTP/1.1\r\n")
        .await
        .expect("sent");
    // The answer to another says that this one was taken up.
    assert!(ledger.http("/healthz").await.contains("ok"));
    assert_eq!(serving.stop().await, 0);
    drop(half);
}

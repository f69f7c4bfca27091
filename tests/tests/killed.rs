//! Processes and servers are killed in the middle: nothing is lost, nothing is there twice.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use tests::program::eventually;
use tests::{Installation, feed};

/// Every message has exactly one position, in the order of the stream.
async fn assert_exactly_once(ledger: &Installation, messages: u64) {
    let client = ledger.postgres.connect(&ledger.database).await;
    let row = client
        .query_one(
            "SELECT count(*), count(DISTINCT stream_seq), min(stream_seq), max(stream_seq),
                    count(*) FILTER (WHERE source = 'urn:test'), count(DISTINCT id) FILTER (WHERE source = 'urn:test'),
                    count(*) FILTER (WHERE event_type = 'ledger.stream.gap')
               FROM ledger.event WHERE seq > 0",
            &[],
        )
        .await
        .expect("counted");
    let number = |at: usize| u64::try_from(row.get::<_, i64>(at)).expect("a count");
    assert_eq!(number(0), number(1), "a message has two positions");
    assert_eq!(
        (number(2), number(3)),
        (1, number(0)),
        "a message has no position"
    );
    assert_eq!(
        (number(4), number(5)),
        (messages, messages),
        "a published event is missing or there twice"
    );
    assert_eq!(number(6), 0, "a gap where nothing was deleted");
    let report = ledger.ask(["verify"]).await;
    assert!(
        report["ok"] == true && report["complete"] == true,
        "{report}"
    );
}

fn events(from: u64, to: u64) -> impl Iterator<Item = String> {
    (from..to).map(|number| {
        let environment = format!("env-{}", number % 50);
        if number < 50 {
            feed::created(&number.to_string(), &environment)
        } else {
            feed::status_changed(&number.to_string(), &environment, "ready", "degraded")
        }
    })
}

#[tokio::test]
async fn serve_is_killed_again_and_again() {
    let ledger = Installation::start().await;
    let jetstream = ledger.nats.jetstream().await;
    let (before, total) = (ledger.size().await, 6_000);
    feed::publish(&jetstream, events(0, total)).await;
    for round in 1..=4 {
        let serving = ledger.serve_unready();
        let goal = before + 1 + round * total / 6;
        // Poll fast: the kill is to hit the middle of a batch.
        let client = ledger.postgres.connect(&ledger.database).await;
        eventually("some more are in", async || {
            let row = client
                .query_one("SELECT size FROM ledger.head", &[])
                .await
                .expect("a head");
            u64::try_from(row.get::<_, i64>(0)).expect("a size") >= goal
        })
        .await;
        serving.kill().await;
    }
    let _serving = ledger.serve().await;
    ledger.settles().await;
    assert_exactly_once(&ledger, total).await;
}

#[tokio::test]
async fn the_servers_go_away_and_come_back() {
    let mut ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    feed::publish(&ledger.nats.jetstream().await, events(0, 1_000)).await;
    ledger.postgres.kill();
    feed::publish(&ledger.nats.jetstream().await, events(1_000, 2_000)).await;
    ledger.postgres.restart().await;
    ledger.reaches(2_000).await;
    ledger.nats.restart().await;
    feed::publish(&ledger.nats.jetstream().await, events(2_000, 3_000)).await;
    ledger.reaches(3_000).await;
    ledger.settles().await;
    assert_exactly_once(&ledger, 3_000).await;
    eventually("it says that it is ready", async || {
        ledger.http("/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_lost_its_tail_is_refused() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    feed::publish(&ledger.nats.jetstream().await, events(0, 100)).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0);
    // The stream is made again under the same name: another stream, with other messages.
    ledger.nats.wipe();
    ledger.nats.restart().await;
    let before = ledger.size().await;
    let mut serving = ledger.serve_unready();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(5), serving.exits()).await;
    if ended.is_err() {
        let ready = ledger.http("/readyz").await;
        assert!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    } else {
        assert_ne!(ended, Ok(0), "it must not end as if all were well");
    }
    assert_eq!(
        ledger.size().await,
        before,
        "nothing is appended behind a head that the stream does not know"
    );
}

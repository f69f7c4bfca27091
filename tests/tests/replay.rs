//! The chain is a function of the stream.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use tests::{Installation, feed};

async fn chain(ledger: &Installation, database: &str) -> Vec<(i64, Vec<u8>)> {
    let client = ledger.postgres.connect(database).await;
    let rows = client
        .query("SELECT seq, chain FROM ledger.event ORDER BY seq", &[])
        .await
        .expect("read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_same_stream_gives_the_same_chain_in_an_empty_database() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    feed::publish(&jetstream, feed::quarter().lines().map(str::to_owned)).await;
    feed::send(
        &jetstream,
        [(
            feed::subject("platform.environment.updated"),
            "no JSON at all",
        )],
    )
    .await;
    let settled = ledger.settles().await;
    assert_eq!(serving.stop().await, 0);
    // What the clock said meanwhile is there as well.
    let first = chain(&ledger, &ledger.database).await;
    let size = u64::try_from(first.len()).expect("a size");
    assert!(size >= settled, "{size} of {settled}");

    // Another database, the same keys, the same stream; only ingest, so that nothing new enters the stream.
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure("ledger.example/main", "[seal]\nevents = 100000\n");
    ledger.run(["init"]).await.expect(0);
    let serving = ledger.serve_roles(&["ingest"]);
    ledger.reaches(size).await;
    drop(serving);
    let second = chain(&ledger, &ledger.database).await;
    assert_eq!(
        first.as_slice(),
        second.get(..first.len()).expect("as long")
    );
}

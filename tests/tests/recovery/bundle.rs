//! A database that is filled from an export is what it was, bit for bit.

use std::fs;

use tests::program::eventually;
use tests::{Installation, feed};

use crate::support::{
    assert_verifies, chain, events, published_head, record, rows, says, serve_and_record, unready,
};

/// Has the data of positions deleted by an event of the chain.
async fn redact(ledger: &Installation, from: u64, to: u64) {
    let event = format!(
        r#"{{"specversion":"1.0","id":"redact","source":"ledger://main","type":"ledger.retention.applied",
            "subject":"redaction","data":{{"class":"redaction","ranges":[[{from},{to}]]}}}}"#
    );
    let subject = "ledger.main.ingest.ledger.ledger.retention.applied";
    feed::send(&ledger.nats.jetstream().await, [(subject, event)]).await;
    ledger.settles().await;
    let client = ledger.postgres.connect(&ledger.database).await;
    let (from, to) = (
        i64::try_from(from).expect("small"),
        i64::try_from(to).expect("small"),
    );
    eventually("the data is deleted", async || {
        let sql = "SELECT count(*) FROM ledger.body WHERE seq BETWEEN $1 AND $2";
        let left = client.query_one(sql, &[&from, &to]).await.expect("a row");
        left.get::<_, i64>(0) == 0
    })
    .await;
}

/// Removes the first messages of the stream, as its age would.
async fn forget(ledger: &Installation, count: u64) {
    let stream = ledger
        .nats
        .jetstream()
        .await
        .get_stream("LEDGER-main")
        .await
        .expect("the stream");
    for number in 1..=count {
        stream.delete_message(number).await.expect("deleted");
    }
}

#[tokio::test]
async fn an_empty_database_is_filled_from_an_export_and_the_stream() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let size = record(&ledger, 0, 1500).await;
    redact(&ledger, 20, 29).await;
    feed::publish(&ledger.nats.jetstream().await, events(3, 5)).await;
    let exported = ledger.settles().await;
    ledger.ask(["export", "--all", "bundle.tar.zst"]).await;
    let after = record(&ledger, 1500, 1600).await;
    assert!(exported >= size + 3 && after >= exported + 100);
    assert_eq!(serving.stop().await, 0);
    let (before, head) = (chain(&ledger).await, published_head(&ledger).await);
    let tiles = "SELECT t::text FROM ledger.tile t ORDER BY level, number";
    let tiles_before = rows(&ledger, tiles).await;
    forget(&ledger, 900).await;

    // The stream alone no longer gives it.
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure("ledger.example/main", "");
    ledger.run(["init"]).await.expect(0);
    let serving = ledger.serve_unready();
    unready(
        &ledger,
        &["a head of size", "ledger recover --from", "--successor"],
    )
    .await;
    // While somebody serves, nothing is filled.
    let busy = ledger
        .run(["recover", "--from", "bundle.tar.zst"])
        .await
        .expect(2);
    says(&busy, &["stop ledger serve"]);
    assert_eq!(serving.stop().await, 0);
    let plain = ledger.run(["recover"]).await.expect(1);
    says(
        &plain,
        &[
            "another history",
            "ledger recover --from BUNDLE",
            "--successor",
        ],
    );

    // Killed in the middle, and run again.
    let filling = ledger.start_command(["recover", "--from", "bundle.tar.zst"]);
    eventually("some of it is in", async || ledger.size().await > 1).await;
    filling.kill().await;
    // The server notices that the killed one is gone, and its locks with it.
    let mut done = serde_json::Value::Null;
    eventually("it is run again", async || {
        let ran = ledger
            .run(["recover", "--from", "bundle.tar.zst", "-o", "json"])
            .await;
        done = serde_json::from_str(&ran.out).unwrap_or_default();
        assert!(
            ran.code == 0 || ran.err.contains("stop ledger serve"),
            "{}",
            ran.err
        );
        ran.code == 0
    })
    .await;
    assert_eq!(
        (&done["size"], &done["sealed_size"]),
        (&after.into(), &after.into()),
        "{done}"
    );
    assert_eq!(chain(&ledger).await, before);
    assert_eq!(rows(&ledger, tiles).await, tiles_before);
    let same = format!("SELECT note FROM ledger.checkpoint WHERE size = {after}");
    assert_eq!(rows(&ledger, &same).await, [head]);
    assert_verifies(&ledger).await;

    // Whole already: it says so. Then it goes on as ever, duplicates included.
    let again = ledger.ask(["recover", "--from", "bundle.tar.zst"]).await;
    assert_eq!(
        (&again["from_bundle"], &again["replayed"]),
        (&0.into(), &0.into()),
        "{again}"
    );
    let serving = ledger.serve().await;
    feed::publish(&ledger.nats.jetstream().await, events(7, 8)).await;
    ledger.reaches(after + 1).await;
    record(&ledger, 1600, 1610).await;
    assert_eq!(serving.stop().await, 0);
    let duplicates = "SELECT id FROM ledger.event WHERE event_type = 'ledger.event.duplicate'";
    assert_eq!(rows(&ledger, duplicates).await.len(), 3);
    assert_verifies(&ledger).await;
}

#[tokio::test]
async fn a_database_from_an_older_backup_is_filled_up() {
    let mut ledger = Installation::start().await;
    serve_and_record(&ledger, 0, 50).await;
    ledger.postgres.save().await;
    let serving = ledger.serve().await;
    let size = record(&ledger, 50, 300).await;
    ledger.ask(["export", "--all", "bundle"]).await;
    assert_eq!(serving.stop().await, 0);
    let before = chain(&ledger).await;
    ledger.postgres.roll_back().await;
    // NATS is lost altogether: nothing but the bundle is left, and the head file.
    ledger.nats.wipe();
    ledger.nats.restart().await;
    let done = ledger.ask(["recover", "--from", "bundle"]).await;
    assert_eq!(
        (&done["size"], &done["replayed"]),
        (&size.into(), &0.into()),
        "{done}"
    );
    assert_eq!(chain(&ledger).await, before);
    ledger.ask(["recover"]).await;
    let after = serve_and_record(&ledger, 300, 310).await;
    assert!(after > size + 10);
    assert_verifies(&ledger).await;
    fs::remove_dir_all(ledger.path("bundle")).expect("it is a folder");
}

//! A database that is lost comes back without what was deleted.

use tests::Installation;
use tests::program::eventually;

use crate::redacted::{named, positions, redact, said, start};

async fn chain(ledger: &Installation) -> Vec<String> {
    let client = ledger.postgres.connect(&ledger.database).await;
    let sql = "SELECT encode(chain, 'hex') FROM ledger.event ORDER BY seq";
    let rows = client.query(sql, &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn lose_the_database(ledger: &mut Installation) {
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure(
        "ledger.example/main",
        "[catalog]\noperators = \"terraform\"",
    );
    ledger.run(["init"]).await.expect(0);
}

/// The messages are there still: the same chain comes of them, and what it says is deleted is deleted again.
#[tokio::test]
async fn a_stream_that_is_replayed_deletes_again() {
    let mut ledger = start(600).await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    tests::feed::publish(&jetstream, [named("l1", "one"), named("l2", "two")]).await;
    ledger.settles().await;
    redact(&ledger, &positions(&ledger, "l%").await).await;
    eventually("nothing says it", async || said(&ledger).await == 0).await;
    ledger.settles().await;
    serving.stop().await;
    let before = chain(&ledger).await;

    lose_the_database(&mut ledger).await;
    let serving = ledger.serve().await;
    ledger.settles().await;
    eventually("nothing says it again", async || said(&ledger).await == 0).await;
    assert_eq!(
        chain(&ledger).await.get(..before.len()),
        Some(before.as_slice())
    );
    let report = ledger.ask(["verify"]).await;
    assert_eq!(report["ok"], true, "{report}");
    serving.stop().await;
}

/// The messages are gone from the stream: an export has what is left, and says why the rest is not there.
#[tokio::test]
async fn an_export_without_the_data_fills_an_empty_database() {
    let mut ledger = start(1).await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    let number = tests::feed::publish(&jetstream, [named("l1", "one")]).await;
    ledger.settles().await;
    redact(&ledger, &positions(&ledger, "l%").await).await;
    let stream = jetstream
        .get_stream("LEDGER-main")
        .await
        .expect("the stream");
    eventually("the message is overwritten", async || {
        stream.get_raw_message(number).await.is_err()
    })
    .await;
    ledger.settles().await;
    ledger.ask(["export", "--all", "bundle"]).await;
    serving.stop().await;
    let before = chain(&ledger).await;

    lose_the_database(&mut ledger).await;
    ledger.ask(["recover", "--from", "bundle"]).await;
    let serving = ledger.serve().await;
    ledger.settles().await;
    assert_eq!(
        chain(&ledger).await.get(..before.len()),
        Some(before.as_slice())
    );
    assert_eq!(said(&ledger).await, 0);
    let state = ledger.ask(["state", "platform.environment", "one"]).await;
    assert_eq!(state["redaction"]["rule"], "redaction", "{state}");
    let report = ledger.ask(["verify"]).await;
    assert_eq!(report["ok"], true, "{report}");
    serving.stop().await;
}

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

/// The database was rolled back, and the stream has lost most of what is missing. The old log keeps its gaps and says why;
/// a redaction that was asked for in what was lost deletes nothing at the same number of the successor.
#[tokio::test]
async fn the_successor_of_a_log_with_deleted_data_deletes_nothing_of_its_own() {
    let mut ledger = start(600).await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    tests::feed::publish(&jetstream, [named("l1", "one")]).await;
    ledger.settles().await;
    let deleted = positions(&ledger, "l1").await;
    redact(&ledger, &deleted).await;
    eventually("nothing says it", async || said(&ledger).await == 0).await;
    ledger.settles().await;
    serving.stop().await;
    ledger.postgres.save().await;
    let stream = jetstream.get_stream("LEDGER-main").await;
    let first = stream
        .expect("the stream")
        .cached_info()
        .state
        .last_sequence
        + 1;

    let serving = ledger.serve().await;
    let created = |id: &str, many: u32| -> Vec<String> {
        let name = |number| format!("{id}-{number}");
        let names = (0..many).map(name);
        names
            .map(|name| tests::feed::created(&name, &name))
            .collect()
    };
    tests::feed::publish(&jetstream, created("then", 30)).await;
    ledger.settles().await;
    let asked = positions(&ledger, "then-7").await;
    redact(&ledger, &asked).await;
    tests::feed::publish(&jetstream, created("last", 3)).await;
    ledger.settles().await;
    serving.stop().await;
    ledger.postgres.roll_back().await;
    let stream = jetstream
        .get_stream("LEDGER-main")
        .await
        .expect("the stream");
    let request = "ledger.main.ingest.terraform.ledger.redaction.requested";
    let request = stream.get_last_raw_message_by_subject(request).await;
    for number in first..request.expect("it is there").sequence {
        stream.delete_message(number).await.expect("deleted");
    }

    let succeed = ["recover", "--successor", "ledger.example/main-2"];
    let done = ledger.ask(succeed).await;
    assert!(done["left_out"].as_u64() >= Some(1), "{done}");
    let operators = "[catalog]\noperators = \"terraform\"";
    ledger.configure("ledger.example/main-2", operators);
    let serving = ledger.serve().await;
    tests::feed::publish(&jetstream, created("since", 60)).await;
    let size = ledger.settles().await;
    assert!(asked[0] < size, "{asked:?} {size}");
    let client = ledger.postgres.connect(&ledger.database).await;
    let without = "SELECT count(*) FROM ledger.head h JOIN ledger.event e USING (ledger)
                     LEFT JOIN ledger.body b USING (ledger, seq) WHERE h.name = $1 AND b.seq IS NULL";
    for (name, many) in [("main", 0_i64), ("main-1", 1)] {
        let row = client.query_one(without, &[&name]).await.expect("a row");
        assert_eq!(row.get::<_, i64>(0), many, "{name}");
    }
    for name in ["main", "main-1"] {
        let report = ledger.ask(["--ledger", name, "verify", "--deep"]).await;
        assert_eq!(report["ok"], true, "{name}: {report}");
    }
    let place = deleted[0].to_string();
    let log = [
        "--ledger", "main-1", "log", "--from", &place, "--limit", "1",
    ];
    let log = ledger.ask(log).await;
    assert_eq!(log[0]["redacted"]["rule"], "redaction", "{log}");
    assert_eq!(
        ledger
            .ask(["violations", "--rule", "verdict.unexpected"])
            .await,
        serde_json::json!([])
    );
    assert_eq!(said(&ledger).await, 0);
    serving.stop().await;
}

//! A log whose end is gone everywhere is succeeded by another.

use serde_json::Value;
use tests::Installation;
use tests::program::Ran;

use crate::support::{
    assert_verifies, chain, data, published_head, rows, says, serve_and_record, types, unready,
};

const NEW: &str = "ledger.example/main-2";

async fn succeed(ledger: &Installation) -> Ran {
    ledger
        .run(["recover", "--successor", NEW, "-o", "json"])
        .await
}

/// Most of what the database lacks from a number of the stream on goes; what is left are ten publishers' messages, and the
/// ledger's own between them. Gives how many of those there are.
async fn keep_ten(ledger: &Installation, kept: u64) -> u64 {
    let jetstream = ledger.nats.jetstream().await;
    let stream = jetstream.get_stream("LEDGER-main").await;
    let stream = stream.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let mut publishers = Vec::new();
    for number in kept..=last {
        let message = stream.get_raw_message(number).await.expect("a message");
        if !message.subject.starts_with("ledger.main.ingest.ledger.") {
            publishers.push(number);
        }
    }
    let first = publishers[publishers.len() - 10];
    for number in kept..first {
        stream.delete_message(number).await.expect("deleted");
    }
    let own = last + 1 - first - 10;
    assert!(own > 0, "the ledger's own are among what is left");
    own
}

#[tokio::test]
async fn the_successor_of_a_log_whose_end_is_gone() {
    let mut ledger = Installation::start().await;
    let kept = serve_and_record(&ledger, 0, 40).await;
    says(
        &succeed(&ledger).await.expect(2),
        &["nothing of this log is lost"],
    );
    ledger.postgres.save().await;
    let size = serve_and_record(&ledger, 40, 80).await;
    let (before, head) = (chain(&ledger).await, published_head(&ledger).await);
    ledger.postgres.roll_back().await;
    says(
        &succeed(&ledger).await.expect(2),
        &["the stream still has the", "ledger serve"],
    );
    let own = keep_ten(&ledger, kept).await;
    let serving = ledger.serve_unready();
    unready(&ledger, &["a head of size", "--from", "--successor"]).await;
    says(
        &succeed(&ledger).await.expect(2),
        &["another process", "stop ledger serve"],
    );
    assert_eq!(serving.stop().await, 0);
    says(
        &ledger.run(["recover"]).await.expect(1),
        &["another history", "--successor"],
    );

    let done: Value = succeed(&ledger).await.expect(0).json();
    // What the ledger said of the old chain does not follow from the new one, and stays behind.
    assert_eq!(
        (&done["copied"], &done["left_out"]),
        (&10.into(), &own.into()),
        "{done}"
    );
    let again: Value = succeed(&ledger).await.expect(0).json();
    assert_eq!(again["predecessor"]["ledger"], "main-1", "{again}");
    // The configuration still says the old origin: both are named.
    says(
        &ledger.run(["status"]).await.expect(2),
        &[NEW, "ledger.example/main"],
    );
    ledger.configure(NEW, "");
    let after = serve_and_record(&ledger, 80, 90).await;
    assert_eq!(
        types(&ledger, 0).await[..2],
        ["ledger.chain.started", "ledger.chain.succeeded"]
    );
    let said = data(&ledger, 1).await;
    assert_eq!(
        (&said["predecessor"], &said["size"], &said["kept"]),
        (&"ledger.example/main".into(), &size.into(), &kept.into()),
        "{said}"
    );
    assert_eq!(said["checkpoint"], head);
    // The catalog comes first; then what publishers had said and is left; then what was recorded since.
    let types = types(&ledger, 2).await;
    let catalog = types
        .iter()
        .take_while(|text| text.starts_with("ledger.catalog."))
        .count();
    let is_created = |text: &&String| *text == "platform.environment.created";
    let (first, since) = types[catalog..].split_at(10);
    assert_eq!(first.iter().filter(is_created).count(), 10, "{types:?}");
    assert_eq!(since.iter().filter(is_created).count(), 10, "{types:?}");
    let unexpected = ["violations", "--rule", "verdict.unexpected"];
    assert_eq!(ledger.ask(unexpected).await, serde_json::json!([]));
    assert!(
        !types.iter().any(|text| text == "ledger.event.quarantined"),
        "{types:?}"
    );
    assert_verifies(&ledger).await;
    assert!(
        published_head(&ledger)
            .await
            .starts_with(&format!("{NEW}\n{after}\n"))
    );

    // The old log is there, holds, and is frozen.
    let old = ledger.ask(["--ledger", "main-1", "verify", "--deep"]).await;
    assert_eq!(
        (&old["ok"], &old["size"]),
        (&true.into(), &kept.into()),
        "{old}"
    );
    ledger
        .ask(["--ledger", "main-1", "export", "--all", "old-bundle"])
        .await;
    ledger
        .run(["verify", "--bundle", "old-bundle"])
        .await
        .expect(0);
    let old_rows = "SELECT concat_ws('|', e, b.salt, b.data, s.key) FROM ledger.head h JOIN ledger.event e \
                    USING (ledger) LEFT JOIN ledger.body b USING (ledger, seq) LEFT JOIN ledger.seen s \
                    USING (ledger, seq) WHERE h.name = 'main-1' ORDER BY e.seq";
    let old_rows = rows(&ledger, old_rows).await;
    assert_eq!(old_rows, before[..old_rows.len()]);
    is_frozen(&ledger).await;
}

/// Nothing can be appended to the old log or signed for it.
async fn is_frozen(ledger: &Installation) {
    let client = ledger.postgres.connect(&ledger.database).await;
    for table in ["head", "sealer"] {
        let sql = format!("UPDATE ledger.{table} SET epoch = epoch + 1 WHERE ledger = 1");
        assert!(
            client.execute(&sql, &[]).await.is_err(),
            "{table} is frozen"
        );
    }
}

#[tokio::test]
async fn the_successor_of_a_log_when_the_broker_is_gone_too() {
    let mut ledger = Installation::start().await;
    let kept = serve_and_record(&ledger, 0, 20).await;
    ledger.postgres.save().await;
    let size = serve_and_record(&ledger, 20, 30).await;
    ledger.postgres.roll_back().await;
    ledger.nats.wipe();
    ledger.nats.restart().await;
    says(
        &ledger.run(["recover"]).await.expect(1),
        &["another history", "--successor"],
    );
    // The head file alone remembers.
    let done: Value = succeed(&ledger).await.expect(0).json();
    assert_eq!(
        (&done["copied"], &done["predecessor"]["size"]),
        (&0.into(), &size.into()),
        "{done}"
    );
    assert!(ledger.path(&format!("head.{size}")).exists());
    ledger.configure(NEW, "");
    serve_and_record(&ledger, 30, 40).await;
    assert_eq!(data(&ledger, 1).await["kept"], kept);
    assert_verifies(&ledger).await;
}

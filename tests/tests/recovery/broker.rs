//! NATS lost what it had acknowledged, or the database fell behind it.

use tests::{Installation, feed};

use crate::support::{
    assert_verifies, chain, events, published_head, serve_and_record, types, unready,
};

#[tokio::test]
async fn the_end_of_the_stream_is_lost() {
    let mut ledger = Installation::start().await;
    serve_and_record(&ledger, 0, 50).await;
    ledger.nats.save().await;
    let size = serve_and_record(&ledger, 50, 100).await;
    let before = chain(&ledger).await;
    ledger.nats.roll_back().await;
    // The server gives the lost numbers again.
    feed::publish(&ledger.nats.jetstream().await, events(100, 105)).await;
    let serving = ledger.serve_unready();
    unready(
        &ledger,
        &[
            "ingest",
            "NATS lost what it had acknowledged",
            "ledger recover",
        ],
    )
    .await;
    assert_eq!(serving.stop().await, 0);
    assert_eq!(ledger.size().await, size, "nothing is read meanwhile");

    let done = ledger.ask(["recover"]).await;
    assert_eq!(
        (&done["recovered"], &done["copied"]),
        (&true.into(), &5.into()),
        "{done}"
    );
    let again = ledger.ask(["recover"]).await;
    assert_eq!(again["copied"], 0, "once more does no harm: {again}");
    let serving = ledger.serve().await;
    ledger.reaches(size + 6).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0);
    assert_eq!(types(&ledger, size).await[0], "ledger.stream.continued");
    assert_eq!(&chain(&ledger).await[..before.len()], before.as_slice());
    assert_verifies(&ledger).await;
}

#[tokio::test]
async fn the_whole_broker_is_lost() {
    let mut ledger = Installation::start().await;
    let size = serve_and_record(&ledger, 0, 30).await;
    ledger.nats.wipe();
    ledger.nats.restart().await;
    let serving = ledger.serve_unready();
    unready(&ledger, &["is gone", "ledger recover"]).await;
    assert_eq!(serving.stop().await, 0);
    let done = ledger.ask(["recover"]).await;
    assert_eq!(
        (&done["recovered"], &done["copied"]),
        (&true.into(), &0.into()),
        "{done}"
    );
    let after = serve_and_record(&ledger, 30, 40).await;
    assert!(after >= size + 11, "{after}");
    assert_eq!(types(&ledger, size).await[0], "ledger.stream.continued");
    assert_verifies(&ledger).await;
    assert!(
        published_head(&ledger)
            .await
            .contains(&format!("\n{after}\n"))
    );
}

#[tokio::test]
async fn a_database_that_was_rolled_back_reads_the_stream_again() {
    let mut ledger = Installation::start().await;
    serve_and_record(&ledger, 0, 40).await;
    ledger.postgres.save().await;
    let size = serve_and_record(&ledger, 40, 80).await;
    let (before, head) = (chain(&ledger).await, published_head(&ledger).await);
    ledger.postgres.roll_back().await;
    assert!(ledger.size().await < size);
    // Nothing is to be recovered, and that is said.
    assert_eq!(ledger.ask(["recover"]).await["recovered"], false);
    let serving = ledger.serve().await;
    ledger.reaches(size).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0);
    assert_eq!(chain(&ledger).await[..before.len()], before);
    let same = format!("SELECT note FROM ledger.checkpoint WHERE size = {size}");
    assert_eq!(crate::support::rows(&ledger, &same).await, [head]);
    assert_verifies(&ledger).await;
}

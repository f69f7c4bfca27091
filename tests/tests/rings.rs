//! Roles in several processes: who waits for another process's commit is told of it.

use std::time::Duration;

use futures_util::StreamExt;
use tests::program::eventually;
use tests::{Installation, feed};
use tokio::time::timeout;

const RAISED: &str =
    "SELECT count(*) FROM ledger.event WHERE event_type = 'ledger.violation.raised'";

#[tokio::test]
async fn the_projector_rings_for_an_outbox_in_another_process() {
    let ledger = Installation::start().await;
    let client = ledger.nats.connect().await;
    let mut rings = client
        .subscribe("ledger.main.wake.outbox")
        .await
        .expect("subscribed");
    client.flush().await.expect("NATS knows");
    let folding = ledger.serve_roles(&["ingest", "project"]);
    let publishing = ledger.serve_roles(&["outbox"]);
    // Nobody created it: that is a verdict.
    let event = feed::status_changed("e1", "staging", "ready", "degraded");
    let subject = "ledger.main.ingest.tf.platform.environment.status_changed";
    feed::send(&ledger.nats.jetstream().await, [(subject, event)]).await;
    let ring = timeout(Duration::from_mins(1), rings.next()).await;
    assert!(ring.is_ok_and(|ring| ring.is_some()), "{}", ledger.log());
    let admin = ledger.postgres.connect(&ledger.database).await;
    eventually("the verdict is in the chain", async || {
        let row = admin.query_one(RAISED, &[]).await.expect("a count");
        row.get::<_, i64>(0) > 0
    })
    .await;
    assert_eq!(publishing.stop().await, 0, "{}", ledger.log());
    assert_eq!(folding.stop().await, 0, "{}", ledger.log());
}

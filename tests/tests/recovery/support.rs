//! A ledger with events in it, and all that is stored of it.

use serde_json::Value;
use tests::program::eventually;
use tests::{Installation, feed};

/// Events of environments of their own, numbered.
pub fn events(from: u64, to: u64) -> impl Iterator<Item = String> {
    (from..to).map(|number| feed::created(&number.to_string(), &format!("env-{number}")))
}

/// Publishes events and waits until they are in the chain and under a signed head; gives the size.
pub async fn record(ledger: &Installation, from: u64, to: u64) -> u64 {
    feed::publish(&ledger.nats.jetstream().await, events(from, to)).await;
    ledger.settles().await
}

/// Starts serving, records, and stops in order.
pub async fn serve_and_record(ledger: &Installation, from: u64, to: u64) -> u64 {
    let serving = ledger.serve().await;
    let size = record(ledger, from, to).await;
    assert_eq!(serving.stop().await, 0);
    size
}

/// One row of the chain as text: everything that is stored of it.
pub async fn chain(ledger: &Installation) -> Vec<String> {
    rows(
        ledger,
        "SELECT concat_ws('|', e, b.salt, b.data, s.key)
           FROM ledger.head h JOIN ledger.event e USING (ledger) LEFT JOIN ledger.body b USING (ledger, seq)
           LEFT JOIN ledger.seen s USING (ledger, seq)
          WHERE h.name = 'main' ORDER BY e.seq",
    )
    .await
}

/// The rows of a query that gives one text each.
pub async fn rows(ledger: &Installation, sql: &str) -> Vec<String> {
    let client = ledger.postgres.connect(&ledger.database).await;
    let rows = client.query(sql, &[]).await.expect("read");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Everything verifies, identities among it.
pub async fn assert_verifies(ledger: &Installation) {
    let report = ledger.ask(["verify", "--deep"]).await;
    assert!(
        report["ok"] == true && report["complete"] == true,
        "{report}"
    );
}

/// Waits until `/readyz` says 503 and these words.
pub async fn unready(ledger: &Installation, words: &[&str]) {
    let mut said = String::new();
    eventually(&format!("/readyz says {words:?}"), async || {
        said = ledger.http("/readyz").await;
        said.starts_with("HTTP/1.1 503") && words.iter().all(|word| said.contains(word))
    })
    .await;
}

/// The last signed head on the outgoing stream.
pub async fn published_head(ledger: &Installation) -> String {
    let stream = ledger
        .nats
        .jetstream()
        .await
        .get_stream("LEDGER-main-OUT")
        .await;
    let message = stream
        .expect("the stream")
        .get_last_raw_message_by_subject("ledger.main.checkpoint")
        .await;
    String::from_utf8(message.expect("a head").payload.to_vec()).expect("text")
}

/// Runs a command that must be refused with this exit code and words.
#[track_caller]
pub fn says(ran: &tests::program::Ran, words: &[&str]) {
    for word in words {
        assert!(ran.err.contains(word), "{word:?} is not in:\n{}", ran.err);
    }
}

/// The types of the positions from one on.
pub async fn types(ledger: &Installation, from: u64) -> Vec<String> {
    let sql = format!(
        "SELECT e.event_type FROM ledger.head h JOIN ledger.event e USING (ledger)
          WHERE h.name = 'main' AND e.seq >= {from} ORDER BY e.seq"
    );
    rows(ledger, &sql).await
}

/// The data of a position.
pub async fn data(ledger: &Installation, seq: u64) -> Value {
    let sql = format!(
        "SELECT convert_from(b.data, 'UTF8') FROM ledger.head h JOIN ledger.body b USING (ledger)
          WHERE h.name = 'main' AND b.seq = {seq}"
    );
    serde_json::from_str(&rows(ledger, &sql).await[0]).expect("JSON")
}

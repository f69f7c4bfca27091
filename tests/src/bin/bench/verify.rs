//! Verification: `ledger verify`, start-up included, and its limit, COPY of headers and bodies out.

use std::pin::pin;
use std::time::Instant;

use futures_util::StreamExt;
use serde_json::json;
use tests::Installation;
use tokio_postgres::Client;

/// Seconds that `ledger verify` takes for all that is stored.
pub async fn verify(ledger: &Installation) -> f64 {
    let start = Instant::now();
    let report = ledger.ask(["verify"]).await;
    let taken = start.elapsed().as_secs_f64();
    assert_eq!(report.get("ok"), Some(&json!(true)), "{report}");
    taken
}

/// Streams headers and bodies out, as verification reads them, and drops them.
pub async fn copy_out(admin: &Client) -> f64 {
    let start = Instant::now();
    for table in ["ledger.event", "ledger.body"] {
        let stream = admin
            .copy_out(&format!(
                "COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"
            ))
            .await;
        let mut stream = pin!(stream.expect("copied"));
        while let Some(part) = stream.next().await {
            drop(part.expect("copied"));
        }
    }
    start.elapsed().as_secs_f64()
}

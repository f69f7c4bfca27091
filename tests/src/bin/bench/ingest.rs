//! Ingest: the program reads waiting messages, from the first commit that is seen to the last, acknowledged.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use futures_util::TryStreamExt;
use tests::Installation;
use tokio_postgres::Client;

/// Seconds that `events` events take, from the first commit that is seen until all are committed and acknowledged.
pub async fn ingest(ledger: &Installation, admin: &Client, last: u64, events: usize) -> f64 {
    let size = async || {
        let row = admin
            .query_one("SELECT size, stream_seq FROM ledger.head", &[])
            .await
            .expect("a head");
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    let (before, _) = size().await;
    let serving = ledger.serve_roles(&["ingest", "seal"]);
    let limit = Instant::now() + Duration::from_mins(20);
    let (mut start, mut first) = (None, 0);
    let pause = Duration::from_millis(if events > 300_000 { 20 } else { 5 });
    let (end, done) = loop {
        let (now, read) = size().await;
        if start.is_none() && now > before {
            (start, first) = (Some(Instant::now()), now);
        }
        if u64::try_from(read).is_ok_and(|read| read >= last) {
            break (now, acknowledged(ledger, last).await);
        }
        assert!(
            Instant::now() < limit,
            "ingest does not come to its end:\n{}",
            ledger.log()
        );
        tokio::time::sleep(pause).await;
    };
    let taken = done - start.expect("something was committed");
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    taken.as_secs_f64() * events as f64 / (end - first) as f64
}

async fn acknowledged(ledger: &Installation, last: u64) -> Instant {
    let jetstream: jetstream::Context = ledger.nats.jetstream().await;
    let stream = jetstream
        .get_stream("LEDGER-main")
        .await
        .expect("the stream");
    let arrived = Instant::now();
    // Asking costs time itself: what is counted ends when the first answer says that all is acknowledged.
    loop {
        let consumers: Vec<_> = stream
            .consumers()
            .try_collect()
            .await
            .expect("the consumers");
        if consumers
            .iter()
            .any(|consumer| consumer.ack_floor.stream_sequence >= last)
        {
            return Instant::now();
        }
        assert!(
            arrived.elapsed() < Duration::from_secs(30),
            "committed and never acknowledged"
        );
    }
}

//! Folding: the program makes the views of a whole chain from nothing, beside ingest of the same messages. They are
//! drawn from all kinds, and all kinds are active.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use schema::sample::Sampler;
use schema::{Catalog, Package};
use serde_json::json;
use tests::{Installation, Nats, binaries, feed};
use tokio_postgres::Client;

use crate::meter::Meter;
use crate::{Figure, Figures, ingest, server};

/// 2026-07-01 12:00 UTC, in microseconds.
const BEGIN_US: i64 = 1_782_907_200_000_000;

/// One round on servers of its own.
pub async fn measure(folder: &Path, events: usize, figures: &mut Figures) {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let postgres = server(folder).await;
    let ledger = Installation::bare(postgres, nats).await;
    ledger.run(["init"]).await.expect(0);
    let last = fill(&ledger, events).await;
    let admin = ledger.postgres.connect(&ledger.database).await;
    let meter = Meter::start(&admin).await;
    let seconds = ingest::ingest(&ledger, &admin, last, events).await;
    let spent = meter.stop(&admin, events).await;
    figures.insert("ingest, all kinds", Figure { seconds, spent });
    let meter = Meter::start(&admin).await;
    let seconds = fold(&ledger, &admin, events).await;
    let spent = meter.stop(&admin, events).await;
    figures.insert("fold", Figure { seconds, spent });
}

/// Publishes drawn events and waits for every acknowledgement; gives the last number.
async fn fill(ledger: &Installation, events: usize) -> u64 {
    let jetstream = ledger.nats.jetstream().await;
    let catalog = Catalog::of(&Package::builtin(), json!({})).expect("the built-in kinds agree");
    let mut sampler = Sampler::new(&catalog, &[], 1).expect("there are kinds");
    let mut last = 0;
    let mut number = 0;
    while number < events {
        let until = events.min(number + 4096);
        let mut part = Vec::new();
        for at in number..until {
            let at_us = BEGIN_US + i64::try_from(at).expect("small") * 1_000;
            let sample = sampler.next(at_us);
            let body = json!({
                "specversion": "1.0", "id": sample.id, "source": "https://ci.example/terraform",
                "type": sample.event_type, "subject": sample.subject, "authid": "ci-bot",
                "time": schema::time::format_us(at_us), "data": sample.data,
            });
            let subject = feed::subject(&sample.event_type);
            part.push((subject, Bytes::from(body.to_string())));
        }
        number = until;
        last = feed::send(&jetstream, part).await;
    }
    last
}

/// Seconds that `events` events take, from the first checkpoint that is seen to the last.
async fn fold(ledger: &Installation, admin: &Client, events: usize) -> f64 {
    let size = i64::try_from(ledger.size().await).expect("a size");
    let next = async || {
        let sql = "SELECT next_seq FROM views.projection WHERE state = 'live'";
        let row = admin.query_opt(sql, &[]).await.expect("asked");
        row.map_or(0, |row| row.get::<_, i64>(0))
    };
    let serving = ledger.serve_roles(&["project"]);
    let limit = Instant::now() + Duration::from_mins(20);
    let pause = Duration::from_millis(5);
    let (mut start, mut first) = (None, 0);
    loop {
        let now = next().await;
        // The first batches are the catalog: its views are made, and its kinds compiled.
        if start.is_none() && now > 100 {
            (start, first) = (Some(Instant::now()), now);
        }
        if now >= size {
            break;
        }
        assert!(
            Instant::now() < limit,
            "the fold does not come to its end:\n{}",
            ledger.log()
        );
        tokio::time::sleep(pause).await;
    }
    let taken = start.expect("something was folded").elapsed();
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    taken.as_secs_f64() * events as f64 / (size - first) as f64
}

//! Folding: the program makes the views of a whole chain from nothing, and makes them again, beside ingest of the same
//! messages. They are drawn from all kinds, all kinds are active, every rule is judged, and they happen now: what is
//! claimed to be long ago would be a verdict each. Nearly all keep the rules, unless `--unruly` says otherwise.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use schema::sample::Sampler;
use schema::{Catalog, Package};
use serde_json::json;
use tests::{Installation, Nats, binaries, feed};
use tokio_postgres::Client;

use crate::meter::Meter;
use crate::{Figure, Figures, ingest, server};

/// What a million events may take on a slow machine.
const LONG: Duration = Duration::from_mins(20);

/// One round on servers of its own.
pub async fn measure(folder: &Path, events: usize, unruly: u32, figures: &mut Figures) {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let postgres = server(folder).await;
    let ledger = Installation::bare(postgres, nats).await;
    ledger.run(["init"]).await.expect(0);
    let last = fill(&ledger, events, unruly).await;
    let admin = ledger.postgres.connect(&ledger.database).await;
    let meter = Meter::start(&admin).await;
    let seconds = ingest::ingest(&ledger, &admin, last, events).await;
    let spent = meter.stop(&admin, events).await;
    let figure = Figure {
        seconds,
        spent,
        verdicts: None,
    };
    figures.insert("ingest, all kinds", figure);
    let size = i64::try_from(ledger.size().await).expect("a size");

    let meter = Meter::start(&admin).await;
    let serving = ledger.serve_roles(&["project"]);
    let seconds = until(&ledger, &admin, "live", size, events).await;
    let spent = meter.stop(&admin, events).await;
    let verdicts = Some(verdicts(&admin, events).await);
    let figure = Figure {
        seconds,
        spent,
        verdicts,
    };
    figures.insert("fold", figure);
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());

    let meter = Meter::start(&admin).await;
    let (rebuilt, seconds) = tokio::join!(ledger.run_within(["rebuild"], LONG), async {
        let seconds = until(&ledger, &admin, "building", size, events).await;
        (seconds, meter.stop(&admin, events).await)
    });
    rebuilt.expect(0);
    let (seconds, spent) = seconds;
    let figure = Figure {
        seconds,
        spent,
        verdicts,
    };
    figures.insert("rebuild", figure);
}

/// How many verdicts an event came to.
async fn verdicts(admin: &Client, events: usize) -> f64 {
    let row = admin
        .query_one("SELECT count(*) FROM views.violation", &[])
        .await
        .expect("counted");
    row.get::<_, i64>(0) as f64 / events as f64
}

/// Publishes drawn events and waits for every acknowledgement; gives the last number.
async fn fill(ledger: &Installation, events: usize, unruly: u32) -> u64 {
    let jetstream = ledger.nats.jetstream().await;
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .expect("the built-in kinds agree");
    let mut sampler = Sampler::new(&catalog, &[], 1).expect("there are kinds");
    sampler = sampler.unruly(unruly);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let end_us = i64::try_from(now.as_micros()).expect("a time");
    let begin_us = end_us - i64::try_from(events).expect("few") * 1_000;
    let mut last = 0;
    let mut number = 0;
    while number < events {
        let until = events.min(number + 4096);
        let mut part = Vec::new();
        for at in number..until {
            let at_us = begin_us + i64::try_from(at).expect("small") * 1_000;
            let sample = sampler.next(at_us);
            let body = json!({
                "specversion": "1.0", "id": sample.id, "source": "https://ci.example/terraform",
                "type": sample.event_type, "subject": sample.subject, "authid": sample.actor,
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

/// Seconds that `events` events take, from the first checkpoint that is seen of views in that state to the last; of those
/// that are being built, until they take the place of the others.
async fn until(
    ledger: &Installation,
    admin: &Client,
    state: &str,
    size: i64,
    events: usize,
) -> f64 {
    let next = async || {
        let sql = "SELECT next_seq FROM views.projection WHERE state = $1";
        let row = admin.query_opt(sql, &[&state]).await.expect("asked");
        row.map(|row| row.get::<_, i64>(0))
    };
    let limit = Instant::now() + LONG;
    let pause = Duration::from_millis(5);
    let mut start: Option<(Instant, i64)> = None;
    loop {
        let now = next().await;
        let done = match now {
            Some(now) => state == "live" && now >= size,
            None => start.is_some(),
        };
        if let Some((start, first)) = start.filter(|_| done) {
            break start.elapsed().as_secs_f64() * events as f64 / (size - first) as f64;
        }
        // The first batches are the catalog: its views are made, and its kinds compiled.
        start = start.or_else(|| Some((Instant::now(), now.filter(|now| *now > 100)?)));
        assert!(
            Instant::now() < limit,
            "the fold does not come to its end:\n{}",
            ledger.log()
        );
        tokio::time::sleep(pause).await;
    }
}

//! How fast, beside the raw limit of the same machine in the same run. Started by `ops/bench`.
//!
//! *Ingest* is the program `ledger serve --role ingest --role seal` reading waiting messages; it counts from the
//! first commit that is seen to the last, acknowledged. Its limit is binary COPY of the very rows that it wrote, into
//! the same tables with the same indexes, in transactions of as many events (`limit`) and, for comparison, in one
//! single transaction. *Verification* is `ledger verify`, start-up included, beside COPY of both tables out.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a program that prints a table of rates"
)]

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use serde_json::json;
use tests::{Installation, Nats, Postgres, binaries};
use tokio_postgres::{Client, CopyInSink};

/// The settings of the server that `ledger up` starts; `fsync` and `synchronous_commit` stay on.
const SETTINGS: [&str; 5] = [
    "shared_buffers=256MB",
    "wal_buffers=16MB",
    "wal_compression=on",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
];
const TABLES: [&str; 3] = ["ledger.event", "ledger.body", "ledger.seen"];
/// The ledger's own batch, and that of the limit.
const BATCH: usize = 1000;
const DATA_BYTES: usize = 500;

/// Seconds by what was measured.
type Seconds = BTreeMap<&'static str, f64>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("bench ROUNDS DIR EVENTS…");
    let folder = PathBuf::from(arguments.next().expect("bench ROUNDS DIR EVENTS…"));
    let mut results = Vec::new();
    for events in arguments {
        let events: usize = events.parse().expect("a number of events");
        let mut all = Vec::new();
        for round in 1..=rounds {
            eprintln!("{events} events, round {round} of {rounds}");
            all.push(measure(&folder, events).await);
        }
        let medians: Seconds = all
            .first()
            .into_iter()
            .flatten()
            .map(|(&what, _)| (what, median(&all, what)))
            .collect();
        results.push((events, medians));
    }
    print(&results);
}

fn median(rounds: &[Seconds], what: &str) -> f64 {
    let mut values: Vec<f64> = rounds
        .iter()
        .filter_map(|round| round.get(what).copied())
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// One round on servers of its own: every figure of the table once.
async fn measure(folder: &std::path::Path, events: usize) -> Seconds {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let postgres = Postgres::start_in(folder, &SETTINGS).await;
    let ledger = Installation::bare(postgres, nats).await;
    ledger.run(["init"]).await.expect(0);
    let last = fill(&ledger, events).await;
    let admin = ledger.postgres.connect(&ledger.database).await;

    let mut seconds = Seconds::new();
    seconds.insert("ingest", ingest(&ledger, &admin, last, events).await);
    let verify = verify(&ledger).await;
    seconds.insert(
        "verify",
        verify * events as f64 / ledger.size().await as f64,
    );
    seconds.insert("copy out", copy_out(&admin, &mut Vec::new()).await);

    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(read_rows(&admin, table).await);
    }
    seconds.insert("copy in", copy_in(&ledger, &admin, &rows, BATCH).await);
    seconds.insert(
        "copy in, one transaction",
        copy_in(&ledger, &admin, &rows, usize::MAX).await,
    );
    seconds
}

/// Publishes the messages and waits for every acknowledgement; gives the last number.
async fn fill(ledger: &Installation, events: usize) -> u64 {
    let jetstream = ledger.nats.jetstream().await;
    let subject = "ledger.main.ingest.terraform.platform.environment.updated";
    let mut last = 0;
    let mut number = 0;
    while number < events {
        let part: Vec<(&str, Bytes)> = (number..events.min(number + 4096))
            .map(|number| (subject, message(number)))
            .collect();
        number += part.len();
        last = tests::feed::send(&jetstream, part).await;
    }
    last
}

/// A structured event whose data has exactly [`DATA_BYTES`] bytes.
fn message(number: usize) -> Bytes {
    let data =
        |pad: &str| json!({"labels": {"revision": format!("{number:08}"), "pad": pad}}).to_string();
    let pad = "x".repeat(DATA_BYTES - data("").len());
    let id = format!("0198a000-0000-7000-8000-{number:012}");
    let environment = format!("env-{:04}", number % 1000);
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"https://ci.example/terraform","type":"platform.environment.updated","subject":"{environment}","time":"2026-07-01T12:00:00Z","authid":"ci-bot","data":{}}}"#,
        data(&pad)
    )
    .into()
}

/// Seconds that `events` events take, from the first commit that is seen until all are committed and acknowledged.
async fn ingest(ledger: &Installation, admin: &Client, last: u64, events: usize) -> f64 {
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

async fn verify(ledger: &Installation) -> f64 {
    let start = Instant::now();
    let report = ledger.ask(["verify"]).await;
    let taken = start.elapsed().as_secs_f64();
    assert_eq!(report.get("ok"), Some(&json!(true)), "{report}");
    taken
}

/// Streams headers and bodies out, as verification reads them, and drops them.
async fn copy_out(admin: &Client, scratch: &mut Vec<u64>) -> f64 {
    let start = Instant::now();
    for table in ["ledger.event", "ledger.body"] {
        let stream = admin
            .copy_out(&format!(
                "COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"
            ))
            .await;
        let mut stream = pin!(stream.expect("copied"));
        let mut bytes = 0;
        while let Some(part) = stream.next().await {
            bytes += u64::try_from(part.expect("copied").len()).unwrap_or(0);
        }
        scratch.push(bytes);
    }
    start.elapsed().as_secs_f64()
}

/// All rows of a table in the form of binary COPY, one buffer a row.
async fn read_rows(admin: &Client, table: &str) -> Vec<Bytes> {
    let order =
        format!("COPY (SELECT * FROM {table} ORDER BY ledger, seq) TO STDOUT (FORMAT binary)");
    let mut stream = pin!(admin.copy_out(&order).await.expect("copied"));
    let mut rows = Vec::new();
    while let Some(part) = stream.next().await {
        rows.push(part.expect("copied"));
    }
    // PostgreSQL sends a row a message: the first carries the header, the last is the trailer.
    rows.pop();
    if let Some(first) = rows.first_mut() {
        *first = first.slice(19..);
    }
    rows
}

/// COPY of those rows into an empty database with the same tables, in transactions of `batch` events.
async fn copy_in(ledger: &Installation, from: &Client, rows: &[Vec<Bytes>], batch: usize) -> f64 {
    let database = ledger.postgres.create_database().await;
    let dump = format!(
        "{}/pg_dump -h {} -U postgres --schema-only --no-owner --no-privileges {} | \
         {}/psql -q -X -h {} -U postgres -d {database}",
        binaries::postgres_bin().display(),
        ledger.postgres.folder().display(),
        ledger.database,
        binaries::postgres_bin().display(),
        ledger.postgres.folder().display(),
    );
    let made = tokio::process::Command::new("bash")
        .args(["-c", &dump])
        .output()
        .await
        .expect("bash runs");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    from.batch_execute("CHECKPOINT")
        .await
        .expect("a checkpoint");
    let mut client = ledger.postgres.connect(&database).await;
    let start = Instant::now();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut at = 0;
    while at < count {
        let until = count.min(at.saturating_add(batch));
        let transaction = client.transaction().await.expect("begun");
        for (table, rows) in TABLES.iter().zip(rows) {
            let part = rows
                .get(at.min(rows.len())..until.min(rows.len()))
                .unwrap_or_default();
            let sink = transaction
                .copy_in(&format!("COPY {table} FROM STDIN (FORMAT binary)"))
                .await;
            copy_part(sink.expect("copying"), part).await;
        }
        transaction.commit().await.expect("committed");
        at = until;
    }
    let taken = start.elapsed().as_secs_f64();
    drop(client);
    from.batch_execute(&format!("DROP DATABASE {database}"))
        .await
        .expect("dropped");
    taken
}

async fn copy_part(sink: CopyInSink<Bytes>, rows: &[Bytes]) {
    let mut sink = pin!(sink);
    let mut buffer = BytesMut::with_capacity(1 << 17);
    buffer.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for row in rows {
        buffer.extend_from_slice(row);
        if buffer.len() > 1 << 16 {
            sink.send(buffer.split().freeze()).await.expect("sent");
        }
    }
    buffer.put_i16(-1);
    sink.send(buffer.freeze()).await.expect("sent");
    sink.finish().await.expect("copied");
}

fn print(results: &[(usize, Seconds)]) {
    let mut list = Vec::new();
    println!(
        "{:>9}  {:<26} {:>12}  {:<28} {:>12} {:>7}",
        "events", "what", "events/s", "beside", "events/s", "ratio"
    );
    for (events, seconds) in results {
        let rate = |what: &str| *events as f64 / seconds.get(what).copied().unwrap_or(f64::NAN);
        for (what, limit) in [
            ("ingest", "copy in"),
            ("ingest", "copy in, one transaction"),
            ("verify", "copy out"),
        ] {
            let ratio = rate(what) / rate(limit);
            println!(
                "{events:>9}  {what:<26} {:>12.0}  {limit:<28} {:>12.0} {ratio:>7.2}",
                rate(what),
                rate(limit)
            );
            list.push(json!({
                "events": events, "what": what, "events_per_s": rate(what).round(), "limit": limit,
                "limit_events_per_s": rate(limit).round(), "ratio": (ratio * 1000.0).round() / 1000.0,
            }));
        }
    }
    let cost = |at: Option<&(usize, Seconds)>, what: &str| {
        at.and_then(|(events, seconds)| Some(seconds.get(what)? / *events as f64))
    };
    for what in ["ingest", "verify"] {
        if let (Some(small), Some(large), true) = (
            cost(results.first(), what),
            cost(results.last(), what),
            results.len() > 1,
        ) {
            println!(
                "cost of one event, largest beside smallest: {what} {:.2}",
                large / small
            );
            list.push(
                json!({"what": what, "cost_growth": (large / small * 1000.0).round() / 1000.0}),
            );
        }
    }
    println!("{}", serde_json::Value::from(list));
}

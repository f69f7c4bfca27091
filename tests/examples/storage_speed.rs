//! What an event costs in the database: append, seal, verify, each beside raw COPY of the same rows.
//!
//! `cargo run --release -p tests --example storage_speed -- 100000 1000` (events, batch).
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a measurement prints, reads the clock, and ends where something is wrong"
)]

use std::pin::pin;
use std::time::Instant;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use ledger::append::{Appender, Arrival};
use ledger::db::Database;
use ledger::keyring::Keyring;
use ledger::note::Signer;
use ledger::seal::Sealer;
use ledger::verify::{Options, verify};
use ledger::{init, migrate};
use schema::{Event, EventType, LedgerName, Message, Name};
use tests::Postgres;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;

const CREATED_US: i64 = 1_785_704_400_000_000;
const STREAM: &str = "LEDGER-main@1785704400000000";

fn arrival(n: u64) -> Arrival {
    let data = format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(480));
    let us = CREATED_US + i64::try_from(n).unwrap() * 10;
    Arrival {
        message: Message {
            nats_subject: "ledger.main.ingest.terraform.platform.environment.created".into(),
            headers: Vec::new(),
            body: Bytes::new(),
            stream_seq: n,
            time_us: us,
        },
        read: Ok(Event {
            publisher: Name::new("terraform").unwrap(),
            source: "https://ci.example/infra".into(),
            id: format!("0198a000-0000-7000-8000-{n:012x}"),
            event_type: EventType::parse("platform.environment.created").unwrap(),
            subject: format!("environment-{}", n % 1000),
            actor: "alice@example".into(),
            context: String::new(),
            occurred_us: Some(us),
            data: data.into(),
        }),
    }
}

async fn new_ledger(server: &Postgres, keyring: &Keyring) -> (Database, String) {
    let name = server.create_database().await;
    let db = Database::connect(server.config(&name), 8);
    migrate::CHAIN.run(&db).await.unwrap();
    let main = LedgerName::new("main").unwrap();
    init::create(&db, &main, "ledger.example/main", CREATED_US, keyring)
        .await
        .unwrap();
    (db, name)
}

async fn raw_copy(server: &Postgres, name: &str, events: u64, batch: u64) -> f64 {
    let mut client = server.connect(name).await;
    let (mut seconds, mut from) = (0.0, 1);
    while from <= events {
        let rows: Vec<Arrival> = (from..from + batch).map(arrival).collect();
        let begin = Instant::now();
        let transaction = client.transaction().await.unwrap();
        let sink = transaction
            .copy_in("COPY ledger.event FROM STDIN (FORMAT binary)")
            .await
            .unwrap();
        let (int8, int4, bytea, text) = (Type::INT8, Type::INT4, Type::BYTEA, Type::TEXT);
        let types = [
            &int8, &int8, &int8, &int8, &int4, &bytea, &bytea, &bytea, &text, &text, &text, &text,
            &text, &text, &text, &text,
        ]
        .map(Clone::clone);
        let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
        let hash = [7_u8; 32].as_slice();
        for row in &rows {
            let e = row.read.as_ref().unwrap();
            let seq = i64::try_from(row.message.stream_seq).unwrap();
            writer
                .as_mut()
                .write(&[
                    &seq,
                    &row.message.time_us,
                    &row.message.time_us,
                    &seq,
                    &1_i32,
                    &hash,
                    &hash,
                    &hash,
                    &e.source,
                    &e.id,
                    &e.event_type.as_str(),
                    &e.subject,
                    &e.actor,
                    &e.publisher.as_str(),
                    &e.context,
                    &STREAM,
                ])
                .await
                .unwrap();
        }
        writer.finish().await.unwrap();
        let sink = transaction
            .copy_in("COPY ledger.body FROM STDIN (FORMAT binary)")
            .await
            .unwrap();
        let mut writer = pin!(BinaryCopyInWriter::new(
            sink,
            &[Type::INT8, Type::INT4, Type::BYTEA, Type::BYTEA]
        ));
        for row in &rows {
            let e = row.read.as_ref().unwrap();
            let seq = i64::try_from(row.message.stream_seq).unwrap();
            writer
                .as_mut()
                .write(&[&seq, &1_i32, &hash, &e.data.as_ref()])
                .await
                .unwrap();
        }
        writer.finish().await.unwrap();
        let sink = transaction
            .copy_in("COPY ledger.seen FROM STDIN (FORMAT binary)")
            .await
            .unwrap();
        let mut writer = pin!(BinaryCopyInWriter::new(
            sink,
            &[Type::INT8, Type::INT4, Type::UUID]
        ));
        for row in &rows {
            let e = row.read.as_ref().unwrap();
            let seq = i64::try_from(row.message.stream_seq).unwrap();
            let id = ledger::digest::message_id("terraform", &e.source, &e.id);
            writer
                .as_mut()
                .write(&[&seq, &1_i32, &Uuid::from_slice(&id[..16]).unwrap()])
                .await
                .unwrap();
        }
        writer.finish().await.unwrap();
        transaction.commit().await.unwrap();
        seconds += begin.elapsed().as_secs_f64();
        from += batch;
    }
    seconds
}

async fn raw_out(server: &Postgres, name: &str) -> (f64, f64) {
    let client = server.connect(name).await;
    let mut times = Vec::new();
    for select in [
        "SELECT e.*, b.salt, b.data FROM ledger.event e JOIN ledger.body b USING (ledger, seq) ORDER BY e.seq",
        "SELECT * FROM ledger.event",
    ] {
        let begin = Instant::now();
        let stream = client
            .copy_out(&format!("COPY ({select}) TO STDOUT (FORMAT binary)"))
            .await
            .unwrap();
        let mut stream = pin!(stream);
        let mut bytes = 0;
        while let Some(chunk) = stream.try_next().await.unwrap() {
            bytes += chunk.len();
        }
        assert!(bytes > 0);
        times.push(begin.elapsed().as_secs_f64());
    }
    (times[0], times[1])
}

fn say(what: &str, events: u64, seconds: f64) {
    println!(
        "{what:32} {:>9.0} events/s {:>7.2} us/event",
        events as f64 / seconds,
        seconds * 1e6 / events as f64
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|text| text.parse::<u64>().unwrap());
    let (events, batch) = (
        arguments.next().unwrap_or(100_000),
        arguments.next().unwrap_or(1000),
    );
    let server = Postgres::start().await;
    let keys = tempfile::tempdir().unwrap();
    let keyring = Keyring::open(keys.path(), |bytes| bytes.fill(3)).unwrap();
    let (_, raw) = new_ledger(&server, &keyring).await;
    say(
        "raw COPY in, 3 tables",
        events,
        raw_copy(&server, &raw, events, batch).await,
    );

    let (db, name) = new_ledger(&server, &keyring).await;
    let main = LedgerName::new("main").unwrap();
    let mut appender = Appender::take_over(db.clone(), &main, keyring.clone())
        .await
        .unwrap();
    let (mut seconds, mut from) = (0.0, 1);
    while from <= events {
        let batch_of: Vec<Arrival> = (from..from + batch).map(arrival).collect();
        let begin = Instant::now();
        appender.append(STREAM, batch_of).await.unwrap();
        seconds += begin.elapsed().as_secs_f64();
        from += batch;
    }
    say("append", events, seconds);

    let signer = Signer::from_seed("ledger.example/main", &[3; 32]).unwrap();
    let key = signer.verifying_key().clone();
    let mut sealer = Sealer::open(db.clone(), &main, signer, &[]).await.unwrap();
    let begin = Instant::now();
    while let Some(sealed) = sealer.prepare().await.unwrap() {
        sealer.commit(sealed).await.unwrap();
    }
    say("seal", events, begin.elapsed().as_secs_f64());

    server
        .connect(&name)
        .await
        .batch_execute("VACUUM ANALYZE")
        .await
        .unwrap();
    for _ in 0..2 {
        let (joined, headers) = raw_out(&server, &name).await;
        say("raw COPY out, joined", events, joined);
        say("raw COPY out, headers only", events, headers);
        for segments in [1, 2] {
            let (db, main, key) = (db.clone(), main.clone(), key.clone());
            let begin = Instant::now();
            let report = tokio::task::spawn_blocking(move || {
                let options = Options {
                    segments,
                    keys: vec![key],
                    released: Vec::new(),
                };
                verify(&db, &main, &options, &|_| {}).unwrap()
            });
            let report = report.await.unwrap();
            assert!(report.ok, "{:?}", report.problems.first());
            say(
                &format!("verify, {segments} segment(s)"),
                events,
                begin.elapsed().as_secs_f64(),
            );
        }
    }
}

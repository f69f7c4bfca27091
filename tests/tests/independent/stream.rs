//! One stream, chained by `nasty_streams.py` and by us.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::append::{Appender, Arrival};
use ledger::db::Database;
use ledger::keyring::Keyring;
use ledger::{Record, init, migrate};
use serde_json::{Value, json};
use tests::Postgres;

use crate::{catalog, generate, ledger_name, message, seed, text};

/// The keys that the stream was made for; any other month's must not be needed.
fn keyring(folder: &Path, salt_keys: &Value) -> Keyring {
    let salt = folder.join("salt");
    fs::create_dir(&salt).expect("a new folder");
    for (month, key) in salt_keys.as_object().expect("an object") {
        let path = salt.join(format!("{month}.key"));
        fs::write(&path, text(key)).expect("the key can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    }
    Keyring::open(folder, |_| panic!("a salt key is missing")).expect("the keys open")
}

/// In the form of an evidence bundle's `events.ndjson`.
fn line(record: &Record) -> Value {
    let header = &record.header;
    let body = record.body.as_ref().expect("nothing was deleted");
    json!({
        "seq": header.seq, "occurred_us": header.occurred_us, "recorded_us": header.recorded_us,
        "stream_seq": header.stream_seq, "source": header.source, "id": header.id, "type": header.event_type,
        "subject": header.subject, "actor": header.actor, "publisher": header.publisher,
        "context": header.context, "stream": header.stream, "salt": hex::encode(body.salt),
        "data": BASE64.encode(&body.data), "data_commitment": hex::encode(record.data_commitment),
        "event_hash": hex::encode(record.event_hash), "chain": hex::encode(record.chain),
    })
}

/// Batches of one message, of a few, of many; now and then another writer takes over.
async fn append_all(db: &Database, keyring: &Keyring, stream: &str, mut arrivals: Vec<Arrival>) {
    let mut chance = seed();
    let mut draw = move |below: u64| {
        // Knuth's generator; its upper bits are good enough to cut batches.
        chance = chance.wrapping_mul(6_364_136_223_846_793_005);
        chance = chance.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((chance >> 33) % below).expect("small")
    };
    let ledger = ledger_name();
    let take_over = || Appender::take_over(db.clone(), &ledger, keyring.clone());
    let mut appender = take_over().await.expect("the ledger can be taken over");
    while !arrivals.is_empty() {
        let most = [1, 2, 5, 20, 100][draw(5)];
        let batch = arrivals.drain(..most.min(arrivals.len())).collect();
        appender.append(stream, batch).await.expect("appended");
        if draw(10) == 0 {
            appender = take_over().await.expect("it can be taken over again");
        }
    }
}

#[tokio::test]
async fn a_stream_of_everything_gives_the_same_chain() {
    let lines = generate("nasty_streams.py", "400").await;
    let (setting, lines) = lines.split_first().expect("the setting comes first");
    let (expected, messages): (Vec<_>, Vec<_>) = lines
        .iter()
        .partition(|line| line.get("event_hash").is_some());

    let server = Postgres::shared().await;
    let db = Database::connect(server.config(&server.create_database().await), 4);
    migrate::CHAIN.run(&db).await.expect("the migrations apply");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keyring = keyring(folder.path(), &setting["salt_keys"]);
    let created_us = setting["created_us"].as_i64().expect("a number");
    init::create(
        &db,
        &ledger_name(),
        text(&setting["origin"]),
        created_us,
        &keyring,
    )
    .await
    .expect("a new ledger");

    let (catalog, ledger) = (catalog(), ledger_name());
    let arrivals = messages.into_iter().map(|line| {
        let message = message(line);
        let read = schema::read(&message, &ledger, &catalog);
        Arrival { message, read }
    });
    append_all(&db, &keyring, text(&setting["stream"]), arrivals.collect()).await;

    let reader = ledger::read::Reader::open(&db, &ledger)
        .await
        .expect("it is there");
    let records = reader
        .records(0, 1_000_000)
        .await
        .expect("they can be read");
    for (expected, record) in expected.iter().zip(&records) {
        assert_eq!(line(record), **expected, "seed {}", seed());
    }
    assert_eq!(records.len(), expected.len());
}

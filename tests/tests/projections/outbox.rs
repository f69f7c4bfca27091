//! The outbox on a real NATS server: sent once while it lies in the stream, sent by whoever comes after an outage.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use projections::{Metrics, outbox};
use schema::Package;
use serde_json::{Value, json};
use tests::Nats;
use tokio::sync::watch;

use crate::support::{Fixture, body, main};

/// How often the outbox is looked at where nobody rings, but where a test says otherwise.
const POLL: Duration = Duration::from_millis(100);

async fn messages(js: &jetstream::Context) -> u64 {
    let mut stream = js.get_stream("LEDGER-main").await.expect("the stream");
    stream.info().await.expect("its state").state.messages
}

async fn until_there_are(js: &jetstream::Context, many: u64) {
    for _ in 0..1000 {
        if messages(js).await >= many {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("{many} messages did not come within twenty seconds");
}

async fn stream(js: &jetstream::Context) {
    let config = stream::Config {
        name: "LEDGER-main".to_owned(),
        subjects: vec!["ledger.main.ingest.>".to_owned()],
        ..stream::Config::default()
    };
    js.create_stream(config).await.expect("a stream");
}

#[tokio::test]
async fn what_the_ledger_refused_itself_is_said_and_not_sent_again() {
    let mut fixture = Fixture::new().await;
    let nats = Nats::start().await;
    let js = nats.jetstream().await;
    stream(&js).await;
    fixture
        .environment("staging", "status_changed", json!({ "to": "ready" }))
        .await;
    fixture.fold().await;
    // The door gets the verdict and does not understand it, whoever's fault that is.
    let (_, body) = fixture.outbox().await.remove(0);
    let mut verdict: Value = serde_json::from_slice(&body).expect("JSON");
    let id = verdict["id"].as_str().expect("an id").to_owned();
    verdict["data"] = json!({});
    let event = "ledger.violation.raised";
    let outcome = fixture
        .send("ledger", event, verdict.to_string().into_bytes())
        .await;
    let reason = ledger::append::Kind::Quarantined(schema::Reason::DataInvalid);
    assert_eq!(outcome.kind, reason);
    fixture.fold().await;
    let marked = outbox::Refused {
        id: id.clone(),
        seq: outcome.seq,
        reason: "data.invalid".to_owned(),
    };
    let refused =
        async |fixture: &Fixture| outbox::refused(&fixture.db, &main()).await.expect("read");
    assert_eq!(refused(&fixture).await, [marked]);

    let (stop, stopped) = watch::channel(false);
    let metrics = Arc::new(Metrics::default());
    let task = {
        let (db, js, metrics) = (fixture.db.clone(), js.clone(), metrics.clone());
        tokio::spawn(async move { outbox::run(&db, &main(), &js, metrics, POLL, stopped).await })
    };
    for _ in 0..200 {
        if metrics.refused.load(Ordering::Relaxed) == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let counted = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let counters = (
        counted(&metrics.outbox),
        counted(&metrics.refused),
        counted(&metrics.published),
    );
    assert_eq!(counters, (1, 1, 0));
    assert_eq!(messages(&js).await, 0);

    // Under another catalog it may be understood.
    let mut packages = Package::builtin().expect("the built-in packages load");
    packages.push(crate::asking::package("lab", crate::asking::LAMP));
    fixture.activate(&packages).await;
    fixture.fold().await;
    until_there_are(&js, 1).await;
    assert_eq!(refused(&fixture).await, []);
    assert_eq!(counted(&metrics.refused), 0);
    stop.send(true).expect("it listens");
    task.await.expect("joined").expect("stopped in order");
}

/// A rebuild lays what it derives into the same table, and who publishes looks many times a second: also with a plan that
/// was made while the table was empty it must not read all of that.
#[tokio::test]
async fn what_a_rebuild_derives_is_not_read_by_who_publishes() {
    let fixture = Fixture::new().await;
    let nats = Nats::start().await;
    let js = nats.jetstream().await;
    stream(&js).await;
    fixture.fold().await;
    let client = fixture.server.connect(&fixture.database).await;
    client
        .batch_execute("VACUUM ANALYZE views.outbox")
        .await
        .expect("vacuumed");

    let (stop, stopped) = watch::channel(false);
    let task = {
        let (db, js, poll) = (fixture.db.clone(), js.clone(), POLL / 5);
        let metrics = Arc::new(Metrics::default());
        tokio::spawn(async move { outbox::run(&db, &main(), &js, metrics, poll, stopped).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    client
        .batch_execute(
            "INSERT INTO views.projection (ledger, engine, epoch, state)
             SELECT ledger, engine, 1, 'building' FROM views.projection WHERE state = 'live';
             INSERT INTO views.outbox (cause_seq, projection, id, subject, body)
             SELECT n, p.projection, n::text, 'a', 'b'
               FROM views.projection p, generate_series(1, 5000) n WHERE p.state = 'building'",
        )
        .await
        .expect("laid");
    // A session tells what it has read once a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let read =
        "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 'views.outbox'::regclass";
    let row = client.query_one(read, &[]).await.expect("counted");
    assert_eq!(row.get::<_, i64>(0), 0);
    stop.send(true).expect("it listens");
    task.await.expect("joined").expect("stopped in order");
}

#[tokio::test]
async fn verdicts_are_published_through_an_outage() {
    let mut fixture = Fixture::new().await;
    let mut nats = Nats::start().await;
    let js = nats.jetstream().await;
    stream(&js).await;
    fixture
        .environment("staging", "status_changed", json!({ "to": "ready" }))
        .await;
    fixture.fold().await;

    let (stop, stopped) = watch::channel(false);
    let metrics = Arc::new(Metrics::default());
    let task = {
        let (db, js, metrics, stopped) = (
            fixture.db.clone(),
            js.clone(),
            metrics.clone(),
            stopped.clone(),
        );
        tokio::spawn(async move { outbox::run(&db, &main(), &js, metrics, POLL, stopped).await })
    };
    until_there_are(&js, 1).await;
    let stream = js.get_stream("LEDGER-main").await.expect("the stream");
    let sent = stream.get_raw_message(1).await.expect("the message");
    assert_eq!(
        sent.subject.as_str(),
        "ledger.main.ingest.ledger.ledger.violation.raised"
    );
    assert_eq!(sent.payload.to_vec(), fixture.outbox().await[0].1);
    let value: Value = serde_json::from_slice(&sent.payload).expect("JSON");
    let identity = ledger::digest::message_id(
        "ledger",
        "ledger://main",
        value["id"].as_str().expect("an id"),
    );
    let header = |name: &str| sent.headers.get(name).map(ToString::to_string);
    assert_eq!(header("Nats-Msg-Id"), Some(hex::encode(identity)));
    assert_eq!(
        header("Content-Type").as_deref(),
        Some("application/cloudevents+json")
    );

    // It lies in the stream: while nothing says that it is lost, it is not sent again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(
        (
            messages(&js).await,
            metrics.published.load(Ordering::Relaxed)
        ),
        (1, 1)
    );

    nats.stop();
    fixture
        .environment("production", "status_changed", json!({ "to": "ready" }))
        .await;
    fixture.fold().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    nats.restart().await;
    until_there_are(&js, 2).await;

    fixture.publish().await;
    fixture.fold().await;
    for _ in 0..100 {
        if metrics.outbox.load(Ordering::Relaxed) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        metrics.outbox.load(Ordering::Relaxed),
        0,
        "what was seen is not waited for"
    );
    assert_eq!(messages(&js).await, 2);
    stop.send(true).expect("it listens");
    task.await.expect("joined").expect("stopped in order");
}

/// A page of the outbox that the door has refused does not hide what comes after it.
#[tokio::test]
async fn a_thousand_refused_messages_keep_nothing_back() {
    const MANY: u64 = 1000;
    let mut fixture = Fixture::new().await;
    let nats = Nats::start().await;
    let js = nats.jetstream().await;
    stream(&js).await;
    let event = "platform.environment.status_changed";
    let number = fixture.appender.head().stream_seq;
    let illegal = (0..MANY).map(|n| {
        let id = format!("e{n}");
        let body = body(number + n, &id, "status_changed", &json!({ "to": "ready" }));
        fixture.arrival("terraform", event, body, n + 1)
    });
    let illegal = illegal.collect();
    let appended = fixture.appender.append(crate::support::STREAM, illegal);
    appended.await.expect("appended");
    fixture.fold().await;
    let verdicts = fixture.outbox().await;
    assert_eq!(verdicts.len(), 1000);
    let hollow = (1..).zip(verdicts).map(|(n, (_, body))| {
        let mut verdict: Value = serde_json::from_slice(&body).expect("JSON");
        verdict["data"] = json!({});
        let body = verdict.to_string().into_bytes();
        fixture.arrival("ledger", "ledger.violation.raised", body, n)
    });
    let hollow = hollow.collect();
    let appended = fixture.appender.append(crate::support::STREAM, hollow);
    appended.await.expect("appended");
    let last = json!({ "to": "ready" });
    fixture.environment("last", "status_changed", last).await;
    fixture.fold().await;
    let refused = outbox::refused(&fixture.db, &main()).await.expect("read");
    assert_eq!(refused.len(), 1000);

    let (stop, stopped) = watch::channel(false);
    let metrics = Arc::new(Metrics::default());
    let task = {
        let (db, js, metrics) = (fixture.db.clone(), js.clone(), metrics.clone());
        tokio::spawn(async move { outbox::run(&db, &main(), &js, metrics, POLL, stopped).await })
    };
    until_there_are(&js, 1).await;
    let sent = js.get_stream("LEDGER-main").await.expect("the stream");
    let sent = sent.get_raw_message(1).await.expect("the message");
    let sent: Value = serde_json::from_slice(&sent.payload).expect("JSON");
    assert_eq!(sent["data"]["id"], "last", "{sent}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(messages(&js).await, 1);
    let counted = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    assert_eq!(
        (counted(&metrics.outbox), counted(&metrics.refused)),
        (1001, 1000)
    );
    stop.send(true).expect("it listens");
    task.await.expect("joined").expect("stopped in order");
}

/// Whoever publishes looks by itself once an hour here; what comes sooner was rung for.
#[tokio::test]
async fn the_projector_rings_when_there_is_something_to_publish() {
    let mut fixture = Fixture::new().await;
    let nats = Nats::start().await;
    let js = nats.jetstream().await;
    stream(&js).await;
    let (stop, stopped) = watch::channel(false);
    let task = {
        let (db, js, metrics) = (fixture.db.clone(), js.clone(), fixture.metrics.clone());
        let hour = Duration::from_hours(1);
        tokio::spawn(async move { outbox::run(&db, &main(), &js, metrics, hour, stopped).await })
    };
    for (number, environment) in (1..).zip(["staging", "production", "system"]) {
        // Once a message is in the stream, the round that sent it has read all that there was.
        let illegal = json!({ "to": "ready" });
        fixture
            .environment(environment, "status_changed", illegal)
            .await;
        fixture.fold().await;
        until_there_are(&js, number).await;
    }
    stop.send(true).expect("it listens");
    task.await.expect("joined").expect("stopped in order");
}

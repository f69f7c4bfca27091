//! Whoever listens for incidents hears of one within a second of its cause, and once, whatever is killed meanwhile.
//!
//! Both ends are taken from the NATS server's clock: when the cause was stored in the incoming stream, which is when it is
//! recorded, and when the opening was stored in the outgoing one. A machine that has no time for anybody is told from a
//! ledger that waits for something by a control: beside the load, a message is stored and a row is committed again and
//! again, and the longest of those turns says how slow the machine is just now.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use serde_json::{Value, json};
use tests::program::eventually;
use tests::{Installation, feed};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CLASS: &str = "environment_degraded";
/// What is promised.
const SECOND: Duration = Duration::from_secs(1);
/// The way of one opening has seven turns of the control: the cause, its verdicts and the incident are each stored in a
/// stream and committed, the views twice beside them, and what goes out is stored. Twenty leave room for the work between.
const TURNS: u32 = 20;
/// How many incidents open, and how often.
const INCIDENTS: u64 = 40;
const EVERY: Duration = Duration::from_millis(250);

/// A step in the life of an environment.
fn step(number: u64, id: &str, from: &str, to: &str) -> String {
    let (id, environment) = (format!("{id}{number}"), format!("env-{number}"));
    let event = feed::status_changed(&id, &environment, from, to);
    let mut event: Value = serde_json::from_str(&event).expect("JSON");
    event["data"]["validation_ref"] = json!("https://ci.example/validation/7");
    event.to_string()
}

/// Environments that are ready.
fn ready() -> impl Iterator<Item = String> {
    (0..INCIDENTS).flat_map(|number| {
        let created = feed::created(&format!("c{number}"), &format!("env-{number}"));
        [created, step(number, "r", "provisioning", "ready")]
    })
}

/// Degrades one after the other, at a modest rate.
async fn load(jetstream: Context) {
    let mut ticks = tokio::time::interval(EVERY);
    for number in 0..INCIDENTS {
        ticks.tick().await;
        feed::publish(&jetstream, [step(number, "d", "ready", "degraded")]).await;
    }
}

/// Stores a message and commits a row again and again until told to stop; gives the longest turn.
async fn control(ledger: &Installation, stop: watch::Receiver<bool>) -> JoinHandle<Duration> {
    let jetstream = ledger.nats.jetstream().await;
    let stream = async_nats::jetstream::stream::Config {
        name: "CONTROL".to_owned(),
        subjects: vec!["control".to_owned()],
        ..Default::default()
    };
    jetstream.create_stream(stream).await.expect("made");
    let client = ledger.postgres.connect(&ledger.database).await;
    let table = "CREATE TABLE IF NOT EXISTS public.control (n bigint)";
    client.batch_execute(table).await.expect("made");
    tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while !*stop.borrow() {
            let begun = Instant::now();
            let sent = jetstream.publish("control", "one".into()).await;
            sent.expect("sent").await.expect("stored");
            let row = "INSERT INTO public.control VALUES (1)";
            client.execute(row, &[]).await.expect("committed");
            longest = longest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        longest
    })
}

/// When each incident's opening was stored in the outgoing stream, in µs: by its number there, and every one of them.
async fn openings(ledger: &Installation) -> Vec<(Value, i64)> {
    let jetstream = ledger.nats.jetstream().await;
    let stream = jetstream.get_stream("LEDGER-main-OUT").await;
    let mut stream = stream.expect("the stream");
    let last = stream.info().await.expect("its state").state.last_sequence;
    let mut all = Vec::new();
    for number in 1..=last {
        let message = stream.get_raw_message(number).await.expect("a message");
        if !message.subject.starts_with("ledger.main.incident.opened.") {
            continue;
        }
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if event["data"]["class"] == CLASS {
            let at_us = message.time.unix_timestamp_nanos() / 1000;
            all.push((
                event["data"].clone(),
                i64::try_from(at_us).expect("before 2262"),
            ));
        }
    }
    all
}

async fn all_are_told(ledger: &Installation) {
    eventually("every incident is told of", async || {
        u64::try_from(openings(ledger).await.len()).expect("few") >= INCIDENTS
    })
    .await;
}

/// Each environment's incident was told of once; gives how long after its cause, the longest first.
async fn once_each(ledger: &Installation) -> Vec<Duration> {
    let client = ledger.postgres.connect(&ledger.database).await;
    let sql =
        "SELECT subject, recorded_us FROM ledger.event WHERE source = 'urn:test' AND id LIKE 'd%'";
    let rows = client.query(sql, &[]).await.expect("rows");
    let causes: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let openings = openings(ledger).await;
    let mut told: Vec<&str> = openings
        .iter()
        .filter_map(|(data, _)| data["id"].as_str())
        .collect();
    told.sort_unstable();
    let wanted: Vec<&str> = causes.keys().map(String::as_str).collect();
    assert_eq!(told, wanted, "one opening each");
    let mut after: Vec<Duration> = openings
        .iter()
        .map(|(data, at_us)| {
            let cause = causes[data["id"].as_str().expect("a text")];
            Duration::from_micros(u64::try_from(at_us - cause).expect("after its cause"))
        })
        .collect();
    after.sort_unstable_by(|a, b| b.cmp(a));
    after
}

#[tokio::test]
async fn an_opening_is_out_within_a_second_of_its_cause() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    feed::publish(&ledger.nats.jetstream().await, ready()).await;
    ledger.settles().await;
    let (tell, told) = watch::channel(false);
    let control = control(&ledger, told).await;
    load(ledger.nats.jetstream().await).await;
    all_are_told(&ledger).await;
    tell.send_replace(true);
    let turn = control.await.expect("it ends");
    let after = once_each(&ledger).await;
    let longest = after[0];
    let middle = after[after.len() / 2];
    assert_eq!(u64::try_from(after.len()), Ok(INCIDENTS));
    let bound = SECOND.max(turn * TURNS);
    assert!(
        longest <= bound,
        "the longest took {longest:?}, more than {bound:?} (half within {middle:?}; a turn of the control took {turn:?}): {after:?}"
    );
    assert_eq!(serving.stop().await, 0);
}

/// Killed between any two steps, it tells of each once, in the order of the chain; and of what came meanwhile as soon as it
/// is back.
#[tokio::test]
async fn each_is_told_of_once_while_the_process_is_killed_again_and_again() {
    let ledger = Installation::start().await;
    let mut serving = ledger.serve().await;
    feed::publish(&ledger.nats.jetstream().await, ready()).await;
    ledger.settles().await;
    let publishing = tokio::spawn(load(ledger.nats.jetstream().await));
    for pause_ms in [900, 1300, 400, 2100] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        serving.kill().await;
        serving = ledger.serve_unready();
    }
    publishing.await.expect("all is published");
    all_are_told(&ledger).await;
    ledger.settles().await;
    let after = once_each(&ledger).await;
    assert_eq!(u64::try_from(after.len()), Ok(INCIDENTS));
    let listed = ledger.ask(["incidents", "--class", CLASS, "--all"]).await;
    assert_eq!(
        listed.as_array().map(Vec::len).map(u64::try_from),
        Some(Ok(INCIDENTS))
    );
    assert_eq!(serving.stop().await, 0);
}

//! From a publisher's message to the incident on its subject, while events come at a steady rate.
//!
//! `ledger serve` runs all roles. One event in [`EVERY`] lets an environment degrade, which opens an incident; the others
//! only change one. What is measured is from the moment before the message is given to NATS until the message on
//! `ledger.main.incident.opened.…` has arrived at a subscriber of its own connection: two ways through the stream, two
//! commits to the chain, the fold, and the outgoing stream's acknowledgement.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tests::{Installation, Nats, binaries};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::server;

/// Events in a second.
const RATE: u32 = 500;
/// How long they come, in seconds.
const SECONDS: u32 = 30;
/// One in so many opens an incident.
const EVERY: u32 = 10;

/// Measures and prints the percentiles, in milliseconds; they are also the last line, as JSON.
pub async fn measure(folder: &Path) {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let ledger = Installation::bare(server(folder).await, nats).await;
    ledger.run(["init"]).await.expect(0);
    let serving = ledger.serve().await;
    let many = RATE * SECONDS / EVERY;
    prepare(&ledger, many).await;

    let client = ledger.nats.connect().await;
    let mut heard = client
        .subscribe("ledger.main.incident.opened.>")
        .await
        .expect("subscribed");
    client.flush().await.expect("NATS knows");
    let listener = tokio::spawn(async move {
        let mut arrived = HashMap::new();
        while arrived.len() < usize::try_from(many).expect("a count")
            && let Ok(Some(message)) = timeout(Duration::from_mins(1), heard.next()).await
        {
            let now = Instant::now();
            let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
            if event["data"]["class"] == "environment_degraded" {
                let about = event["data"]["id"].as_str().expect("an environment");
                arrived.insert(about.to_owned(), now);
            }
        }
        arrived
    });
    let sent = send(&ledger).await;
    let arrived = listener.await.expect("joined");
    let mut taken: Vec<f64> = sent
        .iter()
        .filter_map(|(about, at)| Some((*arrived.get(about)? - *at).as_secs_f64() * 1000.0))
        .collect();
    assert_eq!(
        taken.len(),
        sent.len(),
        "every incident was heard of:\n{}",
        ledger.log()
    );
    taken.sort_by(f64::total_cmp);
    report(&taken);
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
}

/// Environments that are ready, each with an incident to come.
async fn prepare(ledger: &Installation, many: u32) {
    let jetstream = ledger.nats.jetstream().await;
    let events = (0..many).flat_map(|number| {
        let about = format!("env-{number}");
        [
            event(&format!("c{number}"), "created", &about, &json!({ "name": about })),
            event(
                &format!("r{number}"),
                "status_changed",
                &about,
                &json!({ "from": "provisioning", "to": "ready", "validation_ref": "https://ci.example/1" }),
            ),
        ]
    });
    tests::feed::publish(&jetstream, events).await;
    ledger.settles().await;
}

/// Sends at the rate, and gives when each incident's cause was sent.
async fn send(ledger: &Installation) -> Vec<(String, Instant)> {
    let client = ledger.nats.connect().await;
    let mut tick = interval(Duration::from_secs(1) / RATE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = Vec::new();
    for number in 0..RATE * SECONDS {
        tick.tick().await;
        let about = format!("env-{}", number / EVERY);
        let (verb, data) = if number % EVERY == 0 {
            sent.push((about.clone(), Instant::now()));
            (
                "status_changed",
                json!({ "from": "ready", "to": "degraded" }),
            )
        } else {
            let labels =
                json!({ "labels": { "revision": number.to_string(), "pad": "x".repeat(400) } });
            ("updated", labels)
        };
        let body = event(&format!("m{number}"), verb, &about, &data);
        let subject = tests::feed::subject(&format!("platform.environment.{verb}"));
        client
            .publish(subject, body.into())
            .await
            .expect("NATS takes it");
    }
    client.flush().await.expect("NATS has it");
    sent
}

fn event(id: &str, verb: &str, about: &str, data: &Value) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    let now_us = i64::try_from(now.as_micros()).expect("in this age");
    json!({
        "specversion": "1.0", "id": id, "source": "urn:bench", "type": format!("platform.environment.{verb}"),
        "subject": about, "time": schema::time::format_us(now_us), "authid": "ci-bot", "data": data,
    })
    .to_string()
}

fn report(taken: &[f64]) {
    let at = |share: f64| {
        let place = (taken.len() as f64 * share) as usize;
        let found = taken.get(place.min(taken.len().saturating_sub(1)));
        (found.copied().unwrap_or_default() * 10.0).round() / 10.0
    };
    let figures = json!({
        "what": "publish to incident", "events_per_s": RATE, "incidents": taken.len(),
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "max_ms": at(1.0),
    });
    println!(
        "publish to incident on its subject, at {RATE} events/s: {} incidents, p50 {} ms, p90 {} ms, p99 {} ms, most {} ms",
        taken.len(),
        figures["p50_ms"],
        figures["p90_ms"],
        figures["p99_ms"],
        figures["max_ms"],
    );
    println!("goal: p99 within 50 ms\n\n{figures}");
}

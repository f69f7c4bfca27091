//! What goes out: in order, none left out, none twice, whatever is cut off.

use std::time::Duration;

use futures_util::StreamExt;
use ingest::heads;
use tests::{Nats, Postgres};

use crate::support::{PATIENCE, World, main, old_server, publish_raw};

/// Subject and `ledgerseq` of every message on the outgoing stream but the heads.
async fn outgoing(world: &World) -> Vec<(String, u64)> {
    let js = world.nats.jetstream().await;
    let stream = js.get_stream("LEDGER-main-OUT").await.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let mut found = Vec::new();
    for number in 1..=last {
        let message = stream
            .get_raw_message(number)
            .await
            .expect("nothing is missing");
        if message.subject.ends_with(".checkpoint") {
            continue;
        }
        let event: serde_json::Value = serde_json::from_slice(&message.payload).expect("JSON");
        let seq = event["ledgerseq"].as_u64().expect("a number");
        found.push((message.subject.to_string(), seq));
    }
    found
}

async fn wait_for(world: &World, receipts: u64) -> Vec<(String, u64)> {
    let started = std::time::Instant::now();
    let subject = "ledger.main.event.>";
    loop {
        let js = world.nats.jetstream().await;
        let stream = js.get_stream("LEDGER-main-OUT").await.expect("the stream");
        if let Ok(last) = stream.get_last_raw_message_by_subject(subject).await {
            let event: serde_json::Value = serde_json::from_slice(&last.payload).expect("JSON");
            if event["ledgerseq"].as_u64() >= Some(receipts - 1) {
                return outgoing(world).await;
            }
        }
        assert!(started.elapsed() < PATIENCE, "the receipts do not come");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Each position's receipt once and in order; before it, once, its special message.
fn assert_in_order(found: &[(String, u64)], positions: u64) {
    let receipts: Vec<u64> = found
        .iter()
        .filter(|(subject, _)| subject.starts_with("ledger.main.event."))
        .map(|(_, seq)| *seq)
        .collect();
    assert_eq!(receipts, (0..positions).collect::<Vec<_>>());
    for pair in found.windows(2) {
        let special = pair[0].0.contains(".quarantine.");
        assert_eq!(pair[1].1, pair[0].1 + u64::from(!special), "{pair:?}");
    }
}

/// Beats, and among them messages that are no events.
async fn publish(world: &World, from: u64, to: u64) {
    for part in from..to {
        world.publish_beats(part * 50..part * 50 + 40).await;
        // Acknowledged one by one: what a killed server had not acknowledged it may lose.
        let js = world.nats.jetstream().await;
        for _ in 0..10 {
            let sent = js.publish("ledger.main.ingest.ci.a.b.c", "{}".into()).await;
            sent.expect("sent").await.expect("acknowledged");
        }
    }
}

async fn cut_off(mut world: World) {
    let ingest = world.consume().await;
    let connection = world.system().connect("test").await.expect("connected");
    let mut head = 0;
    for round in 0..8 {
        publish(&world, round * 4, round * 4 + 4).await;
        let notify = world.notify();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(3 + round * 5)).await;
            // Heads come in between, from another process.
            head = heads::publish_head(&connection, &main(), head, &format!("head {round}"))
                .await
                .expect("published");
        }
        notify.abort().await;
    }
    world.nats.kill();
    world.nats.restart().await;
    let (one, two) = (world.notify(), world.notify());
    let found = wait_for(&world, 1 + 32 * 50).await;
    assert_in_order(&found, 1 + 32 * 50);
    let specials = found
        .iter()
        .filter(|(subject, _)| subject == "ledger.main.quarantine.ci");
    assert_eq!(specials.count(), 320);
    one.stop().await.expect("stopped in order");
    two.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn no_gap_and_nothing_twice_after_cuts() {
    cut_off(World::new().await).await;
}

#[tokio::test]
async fn nor_on_an_old_server() {
    let Some(binary) = old_server() else {
        eprintln!("skipped: LEDGER_NATS_SERVER_OLD names no older server");
        return;
    };
    let nats = Nats::start_binary(&binary, "").await;
    cut_off(World::on(nats, Postgres::shared().await).await).await;
}

#[tokio::test]
async fn it_goes_on_while_nats_is_killed() {
    let mut world = World::new().await;
    let ingest = world.consume().await;
    let notify = world.notify();
    for round in 0..3 {
        publish(&world, round * 10, round * 10 + 10).await;
        world.nats.kill();
        world.nats.restart().await;
    }
    let found = wait_for(&world, 1 + 30 * 50).await;
    assert_in_order(&found, 1 + 30 * 50);
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn a_receipt_carries_the_data_as_received() {
    let world = World::new().await;
    let mut receipts = world
        .nats
        .connect()
        .await
        .subscribe("ledger.main.event.>")
        .await
        .expect("subscribed");
    let (ingest, notify) = (world.consume().await, world.notify());
    let body =
        br#"{"specversion":"1.0","id":"1","source":"ledger://main","type":"ledger.beat.ticked",
        "subject":"main","data": { "due_us" :  1.0e1 } }"#;
    let beat: (&[u8], &[u8], &[u8]) = (b"ledger.main.ingest.ledger.ledger.beat.ticked", b"", body);
    let beat2: (&[u8], &[u8], &[u8]) = (b"ledger.main.ingest.ledger.ledger.beat.ticked", b"",
        br#"{"specversion":"1.0","id":"1","source":"ledger://main","type":"ledger.beat.ticked","subject":"main","data": { "due_us" :  10 } }"#);
    publish_raw(&world.nats.url(), &[beat, beat2]).await;
    let mut found = Vec::new();
    while found.len() < 3 {
        let next = tokio::time::timeout(PATIENCE, receipts.next())
            .await
            .expect("in time");
        found.push(next.expect("open").payload);
    }
    let text = String::from_utf8_lossy(&found[2]).into_owned();
    assert!(text.ends_with(r#""data":{ "due_us" :  10 }}"#), "{text}");
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn a_head_takes_the_place_of_the_one_seen_last() {
    let world = World::new().await;
    let connection = world.system().connect("test").await.expect("connected");
    assert_eq!(
        heads::last_head(&connection, &main()).await.expect("read"),
        None
    );
    let first = heads::publish_head(&connection, &main(), 0, "one")
        .await
        .expect("published");
    let taken = heads::publish_head(&connection, &main(), 0, "other").await;
    assert!(
        matches!(taken, Err(heads::HeadError::Moved { expected: 0 })),
        "{taken:?}"
    );
    heads::publish_head(&connection, &main(), first, "two")
        .await
        .expect("published");
    let last = heads::last_head(&connection, &main())
        .await
        .expect("read")
        .expect("there");
    assert_eq!(last.note, "two");
}

#[tokio::test]
async fn what_becomes_of_an_incident_goes_where_its_opening_went() {
    let world = World::new().await;
    let ingest = world.consume().await;
    let incident = "ab".repeat(32);
    let event = |id: &str, verb: &str, data: serde_json::Value| {
        let event = serde_json::json!({
            "specversion": "1.0", "id": id, "source": "ledger://main", "subject": "cluster.run/1",
            "type": format!("ledger.incident.{verb}"), "data": data,
        });
        (
            format!("ledger.main.ingest.ledger.ledger.incident.{verb}"),
            event.to_string(),
        )
    };
    let opened = serde_json::json!({
        "incident": incident, "class": "provisioning_failed", "severity": "error",
        "kind": "cluster.run", "id": "1", "causes": [1], "reopens": null,
    });
    let resolved = serde_json::json!({"incident": incident, "how": "mended", "by_seq": 1});
    let messages = [
        event(&incident, "opened", opened),
        event("r", "resolved", resolved),
    ];
    for (subject, body) in &messages {
        let message: (&[u8], &[u8], &[u8]) = (subject.as_bytes(), b"", body.as_bytes());
        publish_raw(&world.nats.url(), &[message]).await;
    }
    let records = world.chain_of(3).await;
    assert_eq!(
        crate::support::kinds(&records)[2],
        "ledger.incident.resolved"
    );
    let notify = world.notify();
    let found = wait_for(&world, 3).await;
    let subjects: Vec<_> = found.iter().map(|(subject, _)| subject.as_str()).collect();
    assert_eq!(
        subjects[1..],
        [
            "ledger.main.incident.opened.error.cluster.run",
            "ledger.main.event.ledger.ledger.incident.opened",
            "ledger.main.incident.resolved.error.cluster.run",
            "ledger.main.event.ledger.ledger.incident.resolved",
        ]
    );
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

/// In base64 what a publisher sent is a third larger than what the server takes of anybody.
#[tokio::test]
async fn a_message_whose_receipt_would_be_too_large_keeps_nothing_back() {
    let nats = Nats::start_with("max_payload: 65536").await;
    let world = World::on(nats, Postgres::shared().await).await;
    let (ingest, notify) = (world.consume().await, world.notify());
    let junk = vec![b'j'; 60_000];
    let message: (&[u8], &[u8], &[u8]) = (b"ledger.main.ingest.ci.a.b.c", b"", &junk);
    publish_raw(&world.nats.url(), &[message]).await;
    world.publish_beats(0..1).await;
    assert_in_order(&wait_for(&world, 3).await, 3);
    let js = world.nats.jetstream().await;
    let out = js.get_stream("LEDGER-main-OUT").await.expect("the stream");
    let told = out
        .get_last_raw_message_by_subject("ledger.main.quarantine.ci")
        .await
        .expect("it went out");
    let told: serde_json::Value = serde_json::from_slice(&told.payload).expect("JSON");
    assert_eq!(told["ledgeromitted"], "headers body");
    assert_eq!(told["data"]["reason"], "envelope.mode");
    assert_eq!(told["data"]["size"], 60_000);
    // The chain has all of it.
    let record = world.chain_of(3).await.remove(1);
    let data = record.body.expect("it is there").data;
    assert!(data.len() > 80_000, "{}", data.len());
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

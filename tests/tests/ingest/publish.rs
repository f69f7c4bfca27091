//! The publishers' side.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ingest::Fate;
use ingest::publish::{Options, Outbound, Status, publish};
use ingest::spool::Spool;
use schema::Name;

use crate::support::{World, assert_complete, beat, main};

fn options(world: &World, spool: Option<&Path>, wait_s: Option<u64>) -> Options {
    let mut nats = world.system();
    nats.patience = Duration::from_secs(2);
    Options {
        nats,
        ledger: main(),
        in_flight: 256,
        spool: spool.map(Path::to_path_buf),
        wait: wait_s.map(Duration::from_secs),
    }
}

fn beats(ids: std::ops::Range<u64>) -> impl Iterator<Item = Outbound> {
    let ledger = Name::new("ledger").expect("legal");
    ids.map(move |id| Outbound::new(&main(), &ledger, beat(id)))
}

async fn statuses(options: &Options, items: impl IntoIterator<Item = Outbound>) -> Vec<Status> {
    let mut found = Vec::new();
    publish(options, items, |at, _, status| found.push((at, status)))
        .await
        .expect("published");
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, status)| status).collect()
}

#[tokio::test]
async fn waiting_tells_what_became_of_each() {
    let world = World::new().await;
    let (ingest, notify) = (world.consume().await, world.notify());
    let conflict =
        br#"{"specversion":"1.0","id":"1","source":"ledger://main","type":"ledger.beat.ticked",
        "subject":"other","data":{"due_us":1}}"#;
    let ledger = Name::new("ledger").expect("legal");
    let other = Outbound {
        // Without an identity JetStream does not see that it was here before.
        identity: None,
        ..Outbound::new(&main(), &ledger, beat(0))
    };
    let mut items: Vec<Outbound> = beats(0..3).collect();
    items.push(other);
    items.push(Outbound {
        identity: None,
        ..Outbound::new(&main(), &ledger, Bytes::from_static(conflict))
    });
    items.push(Outbound::new(
        &main(),
        &ledger,
        Bytes::from_static(b"nonsense"),
    ));
    let found = statuses(&options(&world, None, Some(20)), items).await;
    let quarantined = |seq, reason: &str| {
        Status::Settled(Fate::Quarantined {
            seq,
            reason: reason.to_owned(),
            at: String::new(),
        })
    };
    assert_eq!(
        found,
        [
            Status::Settled(Fate::Recorded { seq: 1 }),
            Status::Settled(Fate::Recorded { seq: 2 }),
            Status::Settled(Fate::Recorded { seq: 3 }),
            Status::Settled(Fate::Duplicate { of: Some(1) }),
            quarantined(5, "id.conflict"),
            quarantined(6, "json.syntax"),
        ]
    );
    let again = statuses(&options(&world, None, Some(20)), beats(1..2)).await;
    assert_eq!(again, [Status::Settled(Fate::Duplicate { of: Some(2) })]);
    // For ever is not too long.
    let again = statuses(&options(&world, None, Some(u64::MAX)), beats(1..2)).await;
    assert_eq!(again, [Status::Settled(Fate::Duplicate { of: Some(2) })]);
    // JetStream has just seen messages of these names. What they are, the ledger says all the same.
    let named = |body: &'static [u8]| Outbound::new(&main(), &ledger, Bytes::from_static(body));
    let hollow =
        br#"{"specversion":"1.0","id":"h","source":"ledger://main","type":"ledger.beat.ticked",
        "subject":"main","data":{}}"#;
    let items = [named(conflict), named(hollow), named(hollow)];
    let found = statuses(&options(&world, None, Some(20)), items).await;
    let reasons: Vec<_> = found
        .iter()
        .map(|status| match status {
            Status::Settled(Fate::Quarantined { reason, at, .. }) => (reason.as_str(), at.as_str()),
            other => unreachable!("{other:?}"),
        })
        .collect();
    let invalid = ("data.invalid", "/due_us");
    assert_eq!(reasons, [("id.conflict", ""), invalid, invalid]);
    // Without waiting, too, nothing vanishes.
    let stream_seq = world.head().await.stream_seq + 1;
    let found = statuses(&options(&world, None, None), [named(conflict)]).await;
    assert_eq!(found, [Status::Accepted { stream_seq }]);
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn what_cannot_be_sent_is_spooled_and_sent_later() {
    let mut world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    world.nats.stop();
    let first = statuses(&options(&world, Some(folder.path()), None), beats(0..10)).await;
    assert!(
        first.iter().all(|status| *status == Status::Spooled),
        "{first:?}"
    );
    statuses(&options(&world, Some(folder.path()), None), beats(10..15)).await;
    assert_eq!(spool.waiting().expect("read"), 15);
    // A crash while a file was written leaves a draft, which is nothing.
    std::fs::write(folder.path().join("draft-1"), b"{\"subj").expect("written");
    world.nats.restart().await;
    // NATS takes them, but no receipt comes: they are kept.
    statuses(
        &options(&world, Some(folder.path()), Some(1)),
        beats(15..16),
    )
    .await;
    assert_eq!(spool.waiting().expect("read"), 15);
    let (ingest, notify) = (world.consume().await, world.notify());
    world.chain_of(2).await;
    // Sent again, beyond what JetStream remembers or not, they are in the ledger once.
    let last = statuses(
        &options(&world, Some(folder.path()), Some(10)),
        beats(16..17),
    )
    .await;
    assert!(
        matches!(last[..], [Status::Settled(Fate::Recorded { .. })]),
        "{last:?}"
    );
    assert_eq!(spool.waiting().expect("read"), 0);
    let head = world.head().await;
    let records = world.chain_of(head.size).await;
    assert_complete(&records, head.stream_seq);
    let ids: Vec<_> = records
        .iter()
        .filter(|record| record.header.event_type == "ledger.beat.ticked")
        .map(|record| record.header.id.parse::<u64>().expect("a number"))
        .collect();
    assert_eq!(ids.len(), 17, "{ids:?}");
    assert_eq!(ids[..10], (0..10).collect::<Vec<_>>());
    notify.stop().await.expect("stopped in order");
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn one_process_sends_the_spool_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (
        Spool::open(folder.path()).expect("a spool"),
        Spool::open(folder.path()).expect("a spool"),
    );
    let held = one.lock().expect("usable").expect("free");
    assert!(two.lock().expect("usable").is_none());
    drop(held);
    assert!(two.lock().expect("usable").is_some());
    // Adding needs no lock.
    let items: Vec<_> = beats(0..2).collect();
    one.keep(&items).expect("kept");
    two.keep(&items).expect("kept");
    assert_eq!(two.waiting().expect("read"), 4);
}

/// A crash leaves a draft that is linked to its number already. The next process may have the same identifier: in a
/// container it always has.
#[tokio::test]
async fn what_a_crash_left_is_not_written_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let items: Vec<_> = beats(0..5).collect();
    spool.keep(&items[..2]).expect("kept");
    let kept = folder.path().join("000000000001.ndjson");
    let process = std::process::id();
    for left in [format!("draft-{process}"), format!("draft-{process}-0")] {
        std::fs::hard_link(&kept, folder.path().join(left)).expect("linked");
    }
    spool.keep(&items[2..]).expect("kept");
    let held = spool.lock().expect("usable").expect("free");
    let segments = held.segments().expect("listed");
    let read = segments.iter().map(|segment| held.read(segment));
    let read: Result<Vec<Vec<Outbound>>, _> = read.collect();
    assert_eq!(read.expect("read").concat(), items);
}

#[tokio::test]
async fn what_was_refused_stays_until_somebody_looks_at_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = Spool::open(folder.path()).expect("a spool");
    let items: Vec<_> = beats(0..2).collect();
    for item in &items {
        spool.keep([item]).expect("kept");
        let held = spool.lock().expect("usable").expect("free");
        for segment in held.segments().expect("listed") {
            held.finish(&segment, [item]).expect("finished");
        }
    }
    let mut refused: Vec<_> = std::fs::read_dir(folder.path())
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains("refused-"))
        .collect();
    refused.sort();
    let held = spool.lock().expect("usable").expect("free");
    let read = refused.iter().map(|path| held.read(path));
    let read: Result<Vec<Vec<Outbound>>, _> = read.collect();
    assert_eq!(read.expect("read").concat(), items);
}

#[tokio::test]
async fn many_are_accepted_quickly() {
    let world = World::new().await;
    let found = statuses(&options(&world, None, None), beats(0..5000)).await;
    assert_eq!(found.len(), 5000);
    assert!(
        found
            .iter()
            .all(|status| matches!(status, Status::Accepted { .. }))
    );
}

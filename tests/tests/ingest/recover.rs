//! Going on after NATS lost what it had acknowledged, and deleting what must not stay.

use ingest::recover::{RecoverError, copy_stream};
use ingest::streams::StreamSettings;
use ingest::{scrub, streams};
use schema::LedgerName;

use crate::support::{ORIGIN, World, chain_of, kinds, main, publish_raw};

#[tokio::test]
async fn a_new_stream_goes_on_where_the_old_was_read() {
    let mut world = World::new().await;
    world.publish_beats(0..10).await;
    let ingest = world.consume().await;
    world.chain_of(11).await;
    let intact = copy_stream(
        &world.system(),
        &main(),
        &world.head().await,
        &StreamSettings::default(),
    )
    .await;
    assert!(matches!(intact, Err(RecoverError::Intact(_))), "{intact:?}");
    ingest.stop().await.expect("stopped in order");
    // Everything is lost, and publishers go on with a stream that knows nothing of it.
    world.nats.wipe();
    world.nats.restart().await;
    world.ensure_streams().await;
    world.publish_beats(10..20).await;
    let hostile: (&[u8], &[u8], &[u8]) = (
        b"ledger.main.ingest.ci.a.b.c",
        b"NATS/1.0 100\r\nName: \xff\r\nNats-Expected-Stream: LEDGER-main\r\n\r\n",
        b"body",
    );
    publish_raw(&world.nats.url(), &[hostile]).await;
    let head = world.head().await;
    let recovered = copy_stream(&world.system(), &main(), &head, &StreamSettings::default()).await;
    let recovered = recovered.expect("recovered");
    assert_eq!((recovered.copied, recovered.last), (11, 10));
    // Once more does no harm.
    copy_stream(&world.system(), &main(), &head, &StreamSettings::default())
        .await
        .expect("nothing to do");
    world.publish_beats(20..25).await;
    let ingest = world.consume().await;
    let records = world.chain_of(11 + 1 + 11 + 5).await;
    let kinds = kinds(&records);
    assert_eq!(kinds[11], "ledger.stream.continued");
    assert_eq!(kinds[22], "ledger.event.quarantined envelope.mode");
    assert!(records[11].header.stream_seq == 1 && records[11].header.stream == recovered.to);
    let body = records[22].body.as_ref().expect("data");
    let data: serde_json::Value = serde_json::from_slice(&body.data).expect("JSON");
    let name = data["headers"]
        .as_array()
        .expect("headers")
        .iter()
        .find(|header| header[0] == "Name");
    assert_eq!(name.expect("kept")[1], "/w==");
    ingest.stop().await.expect("stopped in order");
    // The chain is the same from what is left of the streams only where nothing was lost; not tested here.
    assert_eq!(chain_of(&world.db, 28).await.len(), 28);
}

/// What a publisher sends must not make a recovery impossible, though it leave no room for what a copy says of itself.
#[tokio::test]
async fn the_largest_messages_are_copied_too() {
    let mut world = World::new().await;
    world.publish_beats(0..2).await;
    let ingest = world.consume().await;
    world.chain_of(3).await;
    ingest.stop().await.expect("stopped in order");
    world.nats.wipe();
    world.nats.restart().await;
    world.ensure_streams().await;
    let subject: &[u8] = b"ledger.main.ingest.ci.a.b.c";
    let (most, headers): (usize, &[u8]) = (1 << 20, b"NATS/1.0\r\nName: x\r\n\r\n");
    let body = vec![b'x'; most];
    let with_headers = &body[headers.len()..];
    publish_raw(
        &world.nats.url(),
        &[(subject, b"", &body), (subject, headers, with_headers)],
    )
    .await;
    let head = world.head().await;
    let recovered = copy_stream(&world.system(), &main(), &head, &StreamSettings::default()).await;
    assert_eq!(recovered.expect("recovered").copied, 2);
    let ingest = world.consume().await;
    let records = world.chain_of(3 + 1 + 2).await;
    let kinds = kinds(&records);
    assert_eq!(kinds[4..], ["ledger.event.quarantined size.exceeded"; 2]);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn a_stream_of_another_ledger_is_refused() {
    let world = World::new().await;
    let connection = world.system().connect("test").await.expect("connected");
    let refused = streams::ensure(
        &connection,
        &main(),
        "other.example/main",
        &StreamSettings::default(),
    )
    .await;
    let text = refused.expect_err("refused").to_string();
    assert!(
        text.contains(ORIGIN) && text.contains("other.example/main"),
        "{text}"
    );
    let second = LedgerName::new("second").expect("legal");
    streams::ensure(&connection, &second, "x/second", &StreamSettings::default())
        .await
        .expect("made");
}

#[tokio::test]
async fn scrubbing_deletes_what_is_there() {
    let world = World::new().await;
    world.publish_beats(0..5).await;
    let connection = world.system().connect("test").await.expect("connected");
    let stream = streams::identity(&connection, "LEDGER-main")
        .await
        .expect("read")
        .expect("there");
    let deleted = scrub::scrub(&connection, &main(), &stream, &[2, 4, 9]).await;
    assert_eq!(deleted.expect("deleted"), 2);
    let deleted = scrub::scrub(&connection, &main(), &stream, &[2]).await;
    assert_eq!(deleted.expect("nothing left"), 0);
    let deleted = scrub::scrub(&connection, &main(), "LEDGER-main@1", &[1]).await;
    assert_eq!(deleted.expect("another stream"), 0);
}

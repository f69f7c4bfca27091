//! What nobody in their right mind publishes gets a position like everything else.

use tests::{Nats, Postgres};

use crate::support::{World, assert_complete, beat, kinds, old_server, publish_raw};

const BEAT: &[u8] = b"ledger.main.ingest.ledger.ledger.beat.ticked";

async fn hostile(world: &World) {
    let ingest = world.consume().await;
    let (first, last) = (beat(1), beat(2));
    let large = vec![b'x'; 1 << 20];
    let large = large.get(..large.len() - 64).expect("a megabyte");
    let subject = |rest: &[u8]| [b"ledger.main.ingest.".as_slice(), rest].concat();
    let subjects = [
        subject(b"\xff\xfe.a.b.c"),
        subject("caf\u{e9}\u{a0}\u{2003}.a.b.c".as_bytes()),
        subject(b"x"),
        subject(&b"a.".repeat(200))
            .strip_suffix(b".")
            .expect("a dot")
            .to_vec(),
    ];
    let headers: [&[u8]; 14] = [
        b"NATS/1.0\r\nname: \xff\xfe\r\n\r\n",
        b"NATS/1.0\r\nna me: x\r\n\r\n",
        b"NATS/1.0\r\n: x\r\n\r\n",
        b"NATS/1.0\r\nno colon\r\n\r\n",
        b"NATS/1.0\r\nlone: a\rb\r\n\r\n",
        b"NATS/1.0\r\nlone: a\nb: c\r\n\r\n",
        b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
        b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 999999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"NATS/1.0",
        b"\r\n\r\n",
        b"NATS/1.0\r\nNats-Request-Info: x\r\nNats-Msg-Size: 1\r\nNats-Pending-Messages: 9\r\n\r\n",
    ];
    let mut messages: Vec<(&[u8], &[u8], &[u8])> = vec![(BEAT, b"", &first)];
    messages.extend(
        subjects
            .iter()
            .map(|subject| (subject.as_slice(), b"".as_slice(), b"".as_slice())),
    );
    messages.extend(
        subjects
            .iter()
            .map(|subject| (subject.as_slice(), headers[0], b"x".as_slice())),
    );
    for block in headers {
        messages.push((BEAT, block, b""));
    }
    messages.push((BEAT, b"", large));
    messages.push((BEAT, b"", b"\x00\xff{"));
    // The last message but one has a status line: nothing that follows it would show that it was swallowed.
    messages.push((BEAT, b"", &last));
    messages.push((BEAT, headers[6], b""));
    publish_raw(&world.nats.url(), &messages).await;
    let count = u64::try_from(messages.len()).expect("a count");
    let records = world.chain_of(count + 1).await;
    assert_complete(&records, count);
    let kinds = kinds(&records);
    assert_eq!(kinds[1], "ledger.beat.ticked");
    assert_eq!(kinds[kinds.len() - 2], "ledger.beat.ticked");
    let quarantined = kinds
        .iter()
        .filter(|kind| kind.starts_with("ledger.event.quarantined"));
    assert_eq!(quarantined.count(), messages.len() - 2, "{kinds:?}");
    assert_eq!(
        ingest
            .metrics
            .opened
            .load(std::sync::atomic::Ordering::Relaxed),
        1,
        "it never stumbled"
    );
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn every_hostile_message_has_one_position() {
    hostile(&World::new().await).await;
}

#[tokio::test]
async fn and_from_an_old_server() {
    let Some(binary) = old_server() else {
        eprintln!("skipped: LEDGER_NATS_SERVER_OLD names no older server");
        return;
    };
    let nats = Nats::start_binary(&binary, "").await;
    hostile(&World::on(nats, Postgres::shared().await).await).await;
}

#[tokio::test]
async fn large_messages_pass_in_bounded_memory() {
    let world = World::new().await;
    let body = vec![b' '; 512 << 10];
    for _ in 0..8 {
        let messages = vec![(BEAT, b"".as_slice(), body.as_slice()); 16];
        publish_raw(&world.nats.url(), &messages).await;
    }
    let ingest = world.consume().await;
    assert_complete(&world.chain_of(129).await, 128);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn a_message_larger_than_a_pull_passes() {
    let nats = Nats::start_with("max_payload: 8388608").await;
    let world = World::on(nats, Postgres::shared().await).await;
    let ingest = world.consume().await;
    let body = vec![b'x'; 6 << 20];
    let (first, last) = (beat(1), beat(2));
    let messages: [(&[u8], &[u8], &[u8]); 3] =
        [(BEAT, b"", &first), (BEAT, b"", &body), (BEAT, b"", &last)];
    publish_raw(&world.nats.url(), &messages).await;
    let records = world.chain_of(4).await;
    assert_eq!(kinds(&records)[2], "ledger.event.quarantined size.exceeded");
    ingest.stop().await.expect("stopped in order");
}

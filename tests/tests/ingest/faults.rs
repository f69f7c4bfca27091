//! Servers that are killed, that come back, and that forgot.

use std::sync::Arc;
use std::time::Duration;

use ingest::IngestError;
use ingest::checks::Lost;
use ingest::metrics::State;
use tests::{Nats, Postgres};

use crate::support::{World, assert_complete, chain_of, kinds, old_server};

async fn delete(world: &World, numbers: &[u64]) {
    let stream = world.nats.jetstream().await.get_stream("LEDGER-main").await;
    let stream = stream.expect("the stream");
    for number in numbers {
        stream.delete_message(*number).await.expect("deleted");
    }
}

#[tokio::test]
async fn deleted_messages_leave_gaps() {
    let world = World::new().await;
    world.publish_beats(0..20).await;
    delete(&world, &[1, 2, 7, 9, 10, 11, 20]).await;
    world.publish_beats(20..21).await;
    let ingest = world.consume().await;
    // Three gaps before messages that are there, and one before the last.
    let records = world.chain_of(1 + 14 + 4).await;
    assert_complete(&records, 21);
    let gaps = kinds(&records)
        .into_iter()
        .filter(|kind| kind == "ledger.stream.gap");
    assert_eq!(gaps.count(), 4);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn the_same_stream_gives_the_same_chain() {
    let world = World::new().await;
    world.publish_beats(0..300).await;
    delete(&world, &[5]).await;
    let ingest = world.consume().await;
    let first = world.chain_of(301).await;
    ingest.stop().await.expect("stopped in order");
    let db = world.empty_database().await;
    let again = world.consume_into(&db).await;
    assert_eq!(chain_of(&db, 301).await, first);
    again.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn what_was_read_and_then_deleted_is_no_loss() {
    let world = World::new().await;
    world.publish_beats(0..10).await;
    let ingest = world.consume().await;
    world.chain_of(11).await;
    ingest.stop().await.expect("stopped in order");
    delete(&world, &[9, 10]).await;
    world.publish_beats(10..12).await;
    let ingest = world.consume().await;
    let records = world.chain_of(13).await;
    assert_complete(&records, 12);
    ingest.stop().await.expect("stopped in order");
}

async fn nats_is_killed(mut world: World) {
    let ingest = world.consume().await;
    for round in 0..3 {
        world.publish_beats(round * 500..round * 500 + 500).await;
        world.nats.kill();
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.nats.restart().await;
    }
    world.publish_beats(1500..1510).await;
    let mut stream = world
        .nats
        .jetstream()
        .await
        .get_stream("LEDGER-main")
        .await
        .expect("a stream");
    let last = stream.info().await.expect("info").state.last_sequence;
    let records = world.chain_of(last + 1).await;
    assert_complete(&records, last);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn nats_is_killed_in_the_middle() {
    nats_is_killed(World::new().await).await;
}

#[tokio::test]
async fn an_old_nats_is_killed_in_the_middle() {
    let Some(binary) = old_server() else {
        eprintln!("skipped: LEDGER_NATS_SERVER_OLD names no older server");
        return;
    };
    let nats = Nats::start_binary(&binary, "").await;
    nats_is_killed(World::on(nats, Postgres::shared().await).await).await;
}

#[tokio::test]
async fn postgres_is_killed_in_the_middle() {
    let postgres = Arc::new(Postgres::start().await);
    let mut world = World::on(Nats::start().await, postgres).await;
    world.publish_beats(0..2000).await;
    let ingest = world.consume().await;
    world.chain_of(100).await;
    let server = Arc::get_mut(&mut world.postgres).expect("nobody else has it");
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart().await;
    world.publish_beats(2000..2010).await;
    let records = world.chain_of(2011).await;
    assert_complete(&records, 2010);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn roles_that_are_cut_off_leave_no_trace() {
    let world = World::new().await;
    world.publish_beats(0..3000).await;
    for pause_ms in [5, 20, 35, 50, 80] {
        let ingest = world.consume().await;
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        ingest.abort().await;
    }
    let ingest = world.consume().await;
    assert_complete(&world.chain_of(3001).await, 3000);
    ingest.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn who_takes_over_stops_who_was_there() {
    let world = World::new().await;
    let first = world.consume().await;
    world.publish_beats(0..5).await;
    world.chain_of(6).await;
    let second = world.consume().await;
    world.publish_beats(5..10).await;
    assert_complete(&world.chain_of(11).await, 10);
    let ended = first.end().await;
    assert!(
        matches!(
            ended,
            Err(IngestError::Append(
                ledger::append::AppendError::Fenced { .. }
            ))
        ),
        "{ended:?}"
    );
    second.stop().await.expect("stopped in order");
}

#[tokio::test]
async fn a_lost_tail_is_noticed() {
    let mut world = World::new().await;
    world.publish_beats(0..10).await;
    // What the server had on its disk at this time comes back later.
    world.nats.stop();
    let store = world.nats.folder().join("store");
    let saved = tempfile::tempdir().expect("a folder");
    copy(&store, saved.path());
    world.nats.restart().await;
    world.publish_beats(10..20).await;
    let ingest = world.consume().await;
    world.chain_of(21).await;
    world.nats.stop();
    std::fs::remove_dir_all(&store).expect("removed");
    copy(saved.path(), &store);
    world.nats.restart().await;
    let metrics = ingest.metrics.clone();
    let ended = ingest.end().await;
    let Err(IngestError::LostTail(Lost::Tail {
        head_seq, last_seq, ..
    })) = ended
    else {
        panic!("{ended:?}");
    };
    assert_eq!(
        (head_seq, last_seq, metrics.state()),
        (20, 10, State::Failed)
    );
    // Later messages get the same numbers again: the times give it away.
    world.publish_beats(20..35).await;
    let ended = world.consume().await.end().await;
    assert!(
        matches!(
            ended,
            Err(IngestError::LostTail(Lost::Time {
                head_seq: 20,
                found_seq: 20,
                ..
            }))
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn another_stream_of_the_same_name_is_refused() {
    let mut world = World::new().await;
    world.publish_beats(0..3).await;
    let ingest = world.consume().await;
    world.chain_of(4).await;
    ingest.stop().await.expect("stopped in order");
    world.nats.wipe();
    world.nats.restart().await;
    let ended = world.consume().await.end().await;
    assert!(
        matches!(ended, Err(IngestError::LostTail(Lost::Stream { .. }))),
        "{ended:?}"
    );
    world.ensure_streams().await;
    world.publish_beats(3..9).await;
    let ended = world.consume().await.end().await;
    assert!(
        matches!(ended, Err(IngestError::LostTail(Lost::Other { .. }))),
        "{ended:?}"
    );
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

#[tokio::test]
async fn a_replay_with_a_hole_below_a_signed_head_is_refused() {
    let world = World::new().await;
    let ingest = world.consume().await;
    world.publish_beats(0..10).await;
    world.chain_of(11).await;
    ingest.stop().await.expect("stopped in order");
    delete(&world, &[5]).await;

    // Below a head of 11 the hole would grow into another history; below one of 4 it is an ordinary gap.
    let behind = world.empty_database().await;
    let ended = world.replay_into(&behind, 11).await.end().await;
    assert!(
        matches!(
            ended,
            Err(IngestError::LostTail(Lost::Replay {
                missing: 5,
                found: 6,
                ..
            }))
        ),
        "{ended:?}"
    );
    let free = world.empty_database().await;
    let replayed = world.replay_into(&free, 4).await;
    chain_of(&free, 11).await;
    replayed.stop().await.expect("stopped in order");
}

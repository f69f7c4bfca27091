//! Commands that are told to stop: nothing half-written looks whole, it is said, and they can be run again.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::fs;

use tests::program::{Told, eventually};
use tests::{Installation, feed};
use tokio_postgres::Client;

/// A ledger with events under a signed head, and nobody who serves it.
async fn filled(events: u64) -> Installation {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let events = (0..events).map(|n| feed::created(&n.to_string(), &format!("env-{n}")));
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0);
    ledger
}

/// Locks a table, so that a command is held in its middle until the lock is given back.
async fn locked(ledger: &Installation, table: &str, mode: &str) -> Client {
    let blocker = ledger.postgres.connect(&ledger.database).await;
    let sql = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
    blocker.batch_execute(&sql).await.expect("locked");
    blocker
}

/// Waits until somebody waits for the lock.
async fn held(ledger: &Installation) {
    let client = ledger.postgres.connect(&ledger.database).await;
    let waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("it waits for the lock", async || {
        !client.query(waits, &[]).await.expect("asked").is_empty()
    })
    .await;
}

/// What lies in the installation's folder.
fn names(ledger: &Installation) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(ledger.folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn an_export_leaves_nothing() {
    let ledger = filled(50).await;
    fs::create_dir(ledger.path("empty")).expect("made");
    let before = names(&ledger);
    for (target, told, code, name) in [
        ("bundle", Told::Interrupt, 130, "SIGINT"),
        ("bundle.tar.zst", Told::Terminate, 143, "SIGTERM"),
        ("bundle", Told::Hangup, 129, "SIGHUP"),
    ] {
        let blocker = locked(&ledger, "ledger.body", "ACCESS EXCLUSIVE").await;
        let export = ledger.start_read(["export", "--all", target]);
        held(&ledger).await;
        assert_ne!(names(&ledger), before, "something is begun");
        let ran = export.tell(told).await;
        assert_eq!(ran.code, code, "{target}: {}", ran.err);
        assert!(
            ran.err.contains(name) && ran.err.contains("is removed"),
            "{target}: {}",
            ran.err
        );
        assert_eq!(names(&ledger), before, "{target}: nothing is left");
        drop(blocker);
        ledger.run(["export", "--all", target]).await.expect(0);
        ledger.run(["verify", "--bundle", target]).await.expect(0);
        let path = ledger.path(target);
        if path.is_dir() {
            fs::remove_dir_all(path).expect("removed");
        } else {
            fs::remove_file(path).expect("removed");
        }
    }
}

#[tokio::test]
async fn a_rebuild_leaves_the_living_views_and_goes_on() {
    let ledger = filled(50).await;
    let before = ledger.ask(["state"]).await;
    for (told, code) in [(Told::Interrupt, 130), (Told::Terminate, 143)] {
        let blocker = locked(&ledger, "views.history", "SHARE").await;
        let rebuild = ledger.start_read(["rebuild"]);
        held(&ledger).await;
        let ran = rebuild.tell(told).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains("goes on where it was"), "{}", ran.err);
        assert_eq!(ledger.ask(["state"]).await, before);
        drop(blocker);
    }
    ledger.run(["rebuild"]).await.expect(0);
    assert_eq!(ledger.ask(["state"]).await, before);
    let client = ledger.postgres.connect(&ledger.database).await;
    let left = "SELECT count(*) FROM views.projection WHERE state <> 'live'";
    let left = client.query_one(left, &[]).await.expect("counted");
    assert_eq!(
        left.get::<_, i64>(0),
        0,
        "nothing of what was begun is left"
    );
}

#[tokio::test]
async fn a_recovery_is_run_again() {
    let mut ledger = filled(50).await;
    ledger.ask(["export", "--all", "bundle"]).await;
    let size = ledger.size().await;
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure("ledger.example/main", "");
    ledger.run(["init"]).await.expect(0);
    let recover = ["recover", "--from", "bundle"];
    for (told, code) in [(Told::Interrupt, 130), (Told::Terminate, 143)] {
        let blocker = locked(&ledger, "ledger.body", "SHARE").await;
        let begun = ledger.start_read(recover);
        held(&ledger).await;
        let ran = begun.tell(told).await;
        assert_eq!(ran.code, code, "{}", ran.err);
        assert!(ran.err.contains("run it again"), "{}", ran.err);
        drop(blocker);
    }
    ledger.run(recover).await.expect(0);
    assert_eq!(ledger.size().await, size);
    ledger.run(["verify", "--deep"]).await.expect(0);
}

#[tokio::test]
async fn a_publisher_that_waits_can_publish_again() {
    let ledger = Installation::start().await;
    let file = ledger.path("events.ndjson");
    fs::write(&file, feed::created("1", "staging")).expect("written");
    let publish = ["publish", "--wait", "-o", "ndjson", "events.ndjson"];
    // Nobody serves: no receipt comes.
    let waiting = ledger.start_read(publish);
    let mut stream = (ledger
        .nats
        .jetstream()
        .await
        .get_stream("LEDGER-main")
        .await)
        .expect("the stream");
    let before = stream.info().await.expect("asked").state.messages;
    eventually("NATS has the event", async || {
        stream.info().await.expect("asked").state.messages > before
    })
    .await;
    let ran = waiting.tell(Told::Interrupt).await;
    assert_eq!(ran.code, 130, "{}", ran.err);
    assert!(ran.err.contains("nothing is recorded twice"), "{}", ran.err);
    assert!(ran.out.is_empty(), "{}", ran.out);
    let _serving = ledger.serve().await;
    let again = ledger.run(publish).await.expect(0).json();
    let known = ["recorded", "duplicate"];
    assert!(
        known.contains(&again["status"].as_str().expect("a status")),
        "{again}"
    );
    ledger.settles().await;
    let log = ledger
        .ask(["log", "--type", "platform.environment.created"])
        .await;
    assert_eq!(log.as_array().map(Vec::len), Some(1), "{log}");
    assert_eq!(
        log[0]["seq"], again["seq"],
        "it is told where the first one stands"
    );
}

#[tokio::test]
async fn what_only_reads_ends_at_once_and_says_so() {
    let ledger = filled(20).await;
    for arguments in [&["verify"][..], &["log"]] {
        // Each has its own: who waited before would be taken for it.
        let blocker = locked(&ledger, "ledger.event", "ACCESS EXCLUSIVE").await;
        let begun = ledger.start_read(arguments);
        held(&ledger).await;
        let ran = begun.tell(Told::Interrupt).await;
        assert_eq!(ran.code, 130, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("ended by SIGINT"), "{}", ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
        drop(blocker);
    }
    // Lists that never end stop with a whole line.
    let sample = ledger.start_read(["sample", "--rate", "100"]);
    let tail = ledger.start_read(["tail", "--last", "5", "-o", "ndjson"]);
    for mut begun in [sample, tail] {
        begun.prints(5).await;
        let ran = begun.tell(Told::Terminate).await;
        assert_eq!(ran.code, 143, "{}", ran.err);
        assert!(ran.out.lines().count() >= 5, "{}", ran.out);
        for line in ran.out.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("a whole line");
        }
    }
}

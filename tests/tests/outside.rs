//! What `ledger verify` holds the stored positions against: heads that somebody kept, and what a successor says.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::fs;

use serde_json::Value;
use tests::program::run_alone;
use tests::{Installation, feed};
use tokio_postgres::Client;

/// A ledger with some events, its signed head, and nobody at work.
async fn recorded(events: std::ops::Range<u32>) -> (Installation, String) {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let events = events.map(|n| feed::created(&n.to_string(), &format!("env-{n}")));
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    let head = ledger.run(["checkpoint"]).await.expect(0).out;
    (ledger, head)
}

fn whats(report: &Value) -> Vec<&str> {
    let problems = report["problems"].as_array().expect("a list");
    problems.iter().filter_map(|p| p["what"].as_str()).collect()
}

/// The last five positions go, and all that the database knows of them.
async fn cut(admin: &Client) {
    admin
        .batch_execute(
            "SET session_replication_role = replica;
             DELETE FROM ledger.event WHERE seq >= (SELECT size - 5 FROM ledger.head);
             DELETE FROM ledger.body WHERE seq >= (SELECT size - 5 FROM ledger.head);
             DELETE FROM ledger.checkpoint WHERE size > (SELECT size - 5 FROM ledger.head);
             UPDATE ledger.sealer SET size = (SELECT coalesce(max(size), 0) FROM ledger.checkpoint);
             UPDATE ledger.head SET size = size - 5, stream_seq = (SELECT stream_seq FROM ledger.event ORDER BY seq DESC LIMIT 1),
                    recorded_us = (SELECT recorded_us FROM ledger.event ORDER BY seq DESC LIMIT 1),
                    chain = (SELECT chain FROM ledger.event ORDER BY seq DESC LIMIT 1)",
        )
        .await
        .expect("cut");
}

#[tokio::test]
async fn a_chain_that_was_written_anew_is_not_the_one_that_was_signed() {
    let (ledger, _) = recorded(0..20).await;
    let admin = ledger.postgres.connect(&ledger.database).await;
    // Each row that is left is genuine.
    cut(&admin).await;
    let report = ledger.run(["verify", "-o", "json"]).await.expect(3).json();
    assert!(whats(&report).contains(&"rolled_back"), "{report}");
}

#[tokio::test]
async fn a_head_that_somebody_kept_is_compared() {
    let (ledger, head) = recorded(0..20).await;
    fs::write(ledger.path("kept"), &head).expect("written");
    for target in ["old", "old.tar.zst"] {
        ledger.run(["export", "--all", target]).await.expect(0);
    }
    let serving = ledger.serve().await;
    feed::publish(
        &ledger.nats.jetstream().await,
        [feed::created("more", "more")],
    )
    .await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    ledger.run(["export", "--all", "new"]).await.expect(0);
    for kept in ["kept", "old", "old.tar.zst", "old/checkpoint"] {
        ledger.run(["verify", "--against", kept]).await.expect(0);
        let bundle = ["verify", "--bundle", "new", "--against", kept];
        ledger.run(bundle).await.expect(0);
    }
    // The other way round: what was kept is longer.
    let older = [
        "verify",
        "--bundle",
        "old",
        "--against",
        "new",
        "-o",
        "json",
    ];
    let report = ledger.run(older).await.expect(3).json();
    assert_eq!(whats(&report), ["rolled_back"], "{report}");
    // Whoever owns the machine cuts the end off, and takes away what would remember it there.
    let admin = ledger.postgres.connect(&ledger.database).await;
    cut(&admin).await;
    fs::remove_file(ledger.path("head")).expect("removed");
    let outgoing = ledger.nats.jetstream().await;
    let gone = outgoing.delete_stream("LEDGER-main-OUT").await;
    gone.expect("deleted");
    let alone = ledger.run(["verify", "-o", "json"]).await.expect(0).json();
    let notes = alone["notes"].to_string();
    assert!(
        notes.contains("there is no signed head in") && notes.contains("outgoing stream"),
        "what could not be compared is said: {notes}"
    );
    for kept in ["new", "new/checkpoint"] {
        let against = ["verify", "--against", kept, "-o", "json"];
        let report = ledger.run(against).await.expect(3).json();
        assert_eq!(whats(&report), ["rolled_back"], "{report}");
    }
}

#[tokio::test]
async fn what_is_no_head_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = folder.path().join("text");
    fs::write(&text, "no head").expect("written");
    for path in [folder.path(), &text, &folder.path().join("nothing")] {
        let path = path.to_str().expect("a path in UTF-8");
        let ran = run_alone(["verify", "--against", path]).await.expect(2);
        assert!(
            ran.err.contains(path) && ran.err.contains("ledger checkpoint"),
            "{}",
            ran.err
        );
    }
}

#[tokio::test]
async fn a_log_is_not_succeeded_because_a_row_says_so() {
    let (ledger, _) = recorded(0..20).await;
    let admin = ledger.postgres.connect(&ledger.database).await;
    cut(&admin).await;
    let report = ledger.run(["verify", "-o", "json"]).await.expect(3).json();
    assert!(whats(&report).contains(&"rolled_back"), "{report}");
    for origin in ["ledger.example/other", "ledger.example/main"] {
        let sql = format!("UPDATE ledger.head SET called = name, succeeded_by = '{origin}'");
        admin.batch_execute(&sql).await.expect("said");
        let report = ledger.run(["verify", "-o", "json"]).await.expect(3).json();
        assert_eq!(whats(&report), ["rolled_back"], "{report}");
        assert!(report.to_string().contains(origin), "{report}");
    }
}

#[tokio::test]
async fn views_that_are_behind_are_compared_where_they_are() {
    // So many that they are not near the end when the first batch is folded.
    let (ledger, _) = recorded(0..8_600).await;
    let serving = ledger.serve_roles(&["ingest"]);
    let more = (8_600..8_800).map(|n| feed::created(&n.to_string(), &format!("env-{n}")));
    let size = ledger.size().await;
    feed::publish(&ledger.nats.jetstream().await, more).await;
    ledger.reaches(size + 200).await;
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    let compared = ledger.run(["rebuild", "--compare", "-o", "json"]).await;
    assert_eq!(compared.expect(0).out, "[]\n");
}

#[tokio::test]
async fn views_that_somebody_changed_are_not_those_that_the_chain_gives() {
    let (ledger, _) = recorded(0..20).await;
    let admin = ledger.postgres.connect(&ledger.database).await;
    let compare = ["rebuild", "--compare", "-o", "json"];
    assert_eq!(ledger.run(compare).await.expect(0).out, "[]\n");
    for (change, view, living) in [
        (
            "UPDATE views.entity SET status = 'ready' WHERE id = 'env-3'",
            "entity",
            None,
        ),
        (
            "UPDATE views.history SET actor = 'nobody' WHERE id = 'env-4'",
            "history",
            None,
        ),
        (
            "DELETE FROM views.violation WHERE id = 'env-5'",
            "violation",
            Some(false),
        ),
        (
            "INSERT INTO views.deadline SELECT 1, 0, projection, false, 'platform.environment', 'env-6', 'a.b', 'c', '', ''
               FROM views.projection",
            "deadline",
            Some(true),
        ),
        (
            "INSERT INTO views.quarantine SELECT 7, 0, 1, projection, 'json.syntax', '', 'ci', 'x' FROM views.projection",
            "quarantine",
            Some(true),
        ),
    ] {
        admin.batch_execute(change).await.expect("changed");
        let found = ledger.run(compare).await.expect(3).list();
        let theirs: Vec<&Value> = found.iter().filter(|one| one["view"] == view).collect();
        let sides: Vec<bool> = theirs
            .iter()
            .filter_map(|one| one["living"].as_bool())
            .collect();
        match living {
            Some(living) => assert!(
                !sides.is_empty() && sides.iter().all(|one| *one == living),
                "{change}: {found:?}"
            ),
            None => assert!(
                sides.contains(&true) && sides.contains(&false),
                "{change}: {found:?}"
            ),
        }
    }
    // The proof does not rest on them; made anew from the chain, they are right again.
    ledger.run(["verify", "--rules"]).await.expect(0);
    ledger.run(["rebuild", "--anew"]).await.expect(0);
    ledger.run(compare).await.expect(0);
}

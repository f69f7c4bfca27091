//! Catalogs of a ledger, by the command: what changes, back to an earlier one, and two versions side by side.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::fs;

use serde_json::Value;
use tests::port::free_port;
use tests::{Installation, feed};

const KIND: &str = r#"
kind = "demo.thing"
title = "Thing"
about = "A thing."
subject = "Its name."
view = "things"
retention = "forever"

[events.made]
about = "It was made."
creates = true
"#;

/// A folder with a package of one kind.
fn kinds(ledger: &Installation) -> String {
    let folder = ledger.path("kinds/demo");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("thing.toml"), KIND).expect("written");
    let path = ledger.path("kinds");
    path.to_str().expect("UTF-8").to_owned()
}

/// How many events of a type the chain has.
async fn count(ledger: &Installation, event_type: &str) -> usize {
    let found = ledger.ask(["log", "--type", event_type]).await;
    found.as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn an_earlier_catalog_is_activated_again_and_what_changes_is_said() {
    let ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    let kinds = kinds(&ledger);
    ledger.settles().await;

    let would = ledger.ask(["catalog", "diff", "active", &kinds]).await;
    let lines: Vec<(&str, &str)> = would
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            (
                one["how"].as_str().unwrap_or(""),
                one["name"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            ("added", "demo.thing.made"),
            ("added", "demo.thing"),
            ("added", "demo")
        ]
    );

    let with = ledger.ask(["catalog", "activate", "--kinds", &kinds]).await;
    let without = ledger.ask(["catalog", "activate"]).await;
    let again = ledger.ask(["catalog", "activate", "--kinds", &kinds]).await;
    assert_eq!(with["digest"], again["digest"]);
    for one in [&with, &without, &again] {
        assert_eq!(one["changed"], true, "{one}");
    }
    assert!(again["seq"].as_u64() > without["seq"].as_u64(), "{again}");
    let same = ledger.ask(["catalog", "activate", "--kinds", &kinds]).await;
    assert_eq!(
        (&same["changed"], &same["seq"]),
        (&Value::from(false), &again["seq"])
    );
    assert_eq!(count(&ledger, "ledger.catalog.activated").await, 4);
    // The text of the package is there from the first time.
    assert_eq!(count(&ledger, "ledger.event.duplicate").await, 0);
    ledger.ask(["catalog", "show", "demo.thing"]).await;

    let (first, digest) = (
        with["seq"].to_string(),
        with["digest"].as_str().unwrap_or(""),
    );
    let second = without["seq"].to_string();
    let gone = ledger.ask(["catalog", "diff", &first, &second]).await;
    let gone: Vec<&str> = (gone.as_array().into_iter().flatten())
        .map(|one| one["how"].as_str().unwrap_or(""))
        .collect();
    assert_eq!(gone, ["removed"; 3]);
    let none = ledger
        .ask(["catalog", "diff", "active", &digest[..12]])
        .await;
    assert_eq!(none, Value::Array(Vec::new()));
    ledger
        .run(["catalog", "diff", "active", "0"])
        .await
        .expect(5);
    ledger
        .run(["catalog", "diff", "active", "nowhere"])
        .await
        .expect(5);
}

/// A process activates nothing by itself: during a rolling upgrade the old and the new one serve the same catalog,
/// whichever starts last, until somebody activates another.
#[tokio::test]
async fn processes_of_two_versions_leave_the_catalog_alone() {
    let ledger = Installation::start().await;
    kinds(&ledger);
    let text = fs::read_to_string(ledger.config()).expect("a configuration");
    let text = text.replace("keys = \"keys\"", "keys = \"keys\"\nkinds = \"kinds\"");
    let text = text.replace(&ledger.port().to_string(), &free_port().to_string());
    let newer = ledger.path("newer.toml");
    fs::write(&newer, text).expect("written");
    let newer = newer.to_str().expect("UTF-8");
    let serve = ["--config", newer, "serve"];

    let old = ledger.serve().await;
    let new = ledger.start_command(serve);
    feed::send(
        &ledger.nats.jetstream().await,
        [(
            "ledger.main.ingest.tf.platform.environment.created",
            feed::created("e1", "staging"),
        )],
    )
    .await;
    ledger.settles().await;
    assert_eq!(count(&ledger, "ledger.catalog.activated").await, 1);

    ledger.ask(["--config", newer, "catalog", "activate"]).await;
    ledger.settles().await;
    assert_eq!(old.stop().await, 0);
    let old = ledger.serve().await;
    assert_eq!(new.stop().await, 0);
    let new = ledger.start_command(serve);
    assert_eq!(old.stop().await, 0);
    feed::send(
        &ledger.nats.jetstream().await,
        [(
            "ledger.main.ingest.tf.platform.environment.created",
            feed::created("e2", "production"),
        )],
    )
    .await;
    ledger.settles().await;
    assert_eq!(new.stop().await, 0);
    let _old = ledger.serve().await;
    ledger.settles().await;
    assert_eq!(count(&ledger, "ledger.catalog.activated").await, 2);
    // It is the new one's still, for both.
    ledger.ask(["catalog", "show", "demo.thing"]).await;
}

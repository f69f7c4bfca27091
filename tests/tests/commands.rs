//! The contract of the command line: exit codes, keys, help.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use serde_json::Value;
use tests::program::{Serving, run_alone};
use tests::{Installation, feed};

const COMMANDS: [&str; 27] = [
    "init",
    "up",
    "serve",
    "publish",
    "publishers",
    "check",
    "sample",
    "log",
    "tail",
    "state",
    "history",
    "rollback-target",
    "show",
    "violations",
    "quarantine",
    "verify",
    "export",
    "checkpoint",
    "catalog",
    "recover",
    "retention",
    "hold",
    "redact",
    "status",
    "completions",
    "man",
    "help",
];

#[tokio::test]
async fn every_command_explains_itself() {
    let help = run_alone(["--help"]).await.expect(0);
    for command in COMMANDS {
        assert!(
            help.out.contains(command),
            "--help does not name {command}:\n{}",
            help.out
        );
        if command != "help" {
            let own = run_alone([command, "--help"]).await.expect(0);
            assert!(own.out.contains("Usage:"), "{}", own.out);
        }
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            run_alone(["completions", shell])
                .await
                .expect(0)
                .out
                .contains("ledger")
        );
    }
}

#[tokio::test]
async fn used_wrongly_says_what_would_be_right() {
    for (arguments, said) in [
        (vec!["frobnicate"], "frobnicate"),
        (vec!["verify", "--output", "yaml"], "yaml"),
        (vec!["log", "-n", "many"], "many"),
        (vec!["state", "--as-known", ""], "--as-known"),
        (vec!["completions", "cobol"], "cobol"),
        (
            vec!["log", "--config", "/nowhere/ledger.toml"],
            "/nowhere/ledger.toml",
        ),
        (
            vec!["export", "--all", "/nowhere/quarter.tar.zst"],
            "make it first",
        ),
        (vec!["man", "--dir", "/proc/nowhere"], "can be made"),
        (
            vec!["log", "--since", "2026-12", "--until", "2026-01"],
            "--until is before it",
        ),
    ] {
        let ran = run_alone(&arguments).await.expect(2);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "an error is no output: {}", ran.out);
    }
}

#[tokio::test]
async fn events_are_checked_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.ndjson");
    let path = file.to_str().expect("a path in UTF-8");
    std::fs::write(&file, feed::quarter()).expect("written");
    run_alone(["check", path]).await.expect(0);
    let wrong = feed::status_changed("1", "staging", "ready", "wonderful");
    std::fs::write(
        &file,
        format!("{}\n{wrong}\n", feed::created("0", "staging")),
    )
    .expect("written");
    let ran = run_alone(["check", path]).await;
    assert_ne!(ran.code, 0);
    let said = ran.out + &ran.err;
    assert!(
        said.contains("data.invalid") && said.contains("/to"),
        "{said}"
    );
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let mut ledger = Installation::start().await;
    ledger.postgres.stop();
    let ran = ledger.run(["verify"]).await.expect(6);
    assert!(ran.err.contains("PostgreSQL"), "{}", ran.err);
    ledger.postgres.restart().await;
    ledger.nats.stop();
    let ran = ledger.run(["init"]).await;
    assert_eq!(ran.code, 6, "{}", ran.err);
    assert!(ran.err.contains("127.0.0.1"), "{}", ran.err);
    // A publisher is never held up: what NATS does not take waits in the spool.
    let event = feed::created("spooled", "staging");
    let spooled = ledger
        .run_with(["publish", "-o", "ndjson", "-"], &event)
        .await
        .expect(0);
    assert_eq!(spooled.json()["status"], "spooled");
    ledger.nats.restart().await;
    let _serving = ledger.serve().await;
    let next = feed::created("next", "production");
    let sent = ledger
        .run_with(["publish", "--wait", "-o", "ndjson", "-"], &next)
        .await
        .expect(0);
    assert!(sent.out.contains("recorded"), "{}", sent.out);
    ledger.settles().await;
    let log = ledger.ask(["log"]).await;
    let ids: Vec<&str> = log
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|line| line["id"].as_str())
        .collect();
    assert!(ids.contains(&"spooled"), "{ids:?}");
}

#[tokio::test]
async fn a_server_that_turns_us_away_is_not_said_to_be_away() {
    let mut ledger = Installation::start().await;
    "nowhere".clone_into(&mut ledger.database);
    ledger.configure("ledger.example/main", "");
    let said = ledger.run(["log"]).await.expect(2).err;
    assert!(
        said.contains("\"nowhere\" does not exist") && said.contains("postgres.url"),
        "{said}"
    );
}

#[tokio::test]
async fn a_database_of_another_ledger_is_refused() {
    let mut ledger = Installation::start().await;
    ledger.configure("ledger.example/other", "");
    let ran = ledger.run(["init"]).await;
    assert_ne!(ran.code, 0);
    for origin in ["ledger.example/main", "ledger.example/other"] {
        assert!(
            ran.err.contains(origin),
            "both origins are named: {}",
            ran.err
        );
    }
    let mut serving = ledger.serve_unready();
    assert_ne!(serving.exits().await, 0, "{}", ledger.log());
}

#[track_caller]
fn has(value: &Value, keys: &[&str]) {
    let item = value
        .as_array()
        .map_or(value, |items| items.first().expect("at least one item"));
    for key in keys {
        assert!(item.get(key).is_some(), "no {key:?} in {item}");
    }
}

/// A ledger with a state, a history, a violation and something in quarantine.
async fn busy() -> (Installation, Serving) {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let events = [
        feed::created("1", "staging"),
        feed::status_changed("2", "staging", "provisioning", "ready"),
        feed::status_changed("3", "staging", "ready", "recovering"),
    ];
    let file = ledger.path("events.ndjson");
    std::fs::write(&file, events.join("\n")).expect("written");
    let published = ledger
        .ask(["publish", "--wait", file.to_str().expect("UTF-8")])
        .await;
    has(&published, &["id", "status", "seq"]);
    let broken = ("ledger.main.ingest.tf.platform.environment.created", "{");
    feed::send(&ledger.nats.jetstream().await, [broken]).await;
    ledger.settles().await;
    (ledger, serving)
}

const LOG: [&str; 11] = [
    "seq",
    "type",
    "subject",
    "source",
    "id",
    "actor",
    "publisher",
    "occurred_at",
    "recorded_at",
    "data",
    "redacted",
];

#[tokio::test]
async fn json_has_the_keys_that_scripts_rely_on() {
    let (ledger, _serving) = busy().await;
    has(&ledger.ask(["log"]).await, &LOG);
    let state = ["kind", "id", "status", "attributes", "seq", "since"];
    for arguments in [
        &["state"][..],
        &["state", "platform.environment"],
        &["state", "platform.environment", "staging"],
        &[
            "state",
            "platform.environment",
            "--as-known",
            "2100-01-01T00:00:00Z",
        ],
    ] {
        has(&ledger.ask(arguments).await, &state);
    }
    has(
        &ledger
            .ask(["history", "platform.environment", "staging"])
            .await,
        &[
            "seq",
            "type",
            "from",
            "to",
            "occurred_at",
            "recorded_at",
            "actor",
            "legal",
        ],
    );
    has(
        &ledger.ask(["violations"]).await,
        &[
            "rule",
            "severity",
            "kind",
            "id",
            "cause_seq",
            "seq",
            "message",
            "status",
        ],
    );
    has(
        &ledger.ask(["quarantine"]).await,
        &["seq", "reason", "detail", "publisher", "received_at"],
    );
    let verify = [
        "ok",
        "size",
        "chain",
        "root",
        "checkpoint_size",
        "complete",
        "problems",
    ];
    has(&ledger.ask(["verify"]).await, &verify);
    // The root is written as in the signed note, whoever prints it.
    let head = ledger.ask(["checkpoint", "--wait"]).await;
    has(&head, &["origin", "size", "root", "note"]);
    let third = head["note"].as_str().expect("a text").lines().nth(2);
    assert_eq!(head["root"].as_str(), third, "{head}");
    let verified = ledger.ask(["verify"]).await;
    if verified["size"] == head["size"] {
        assert_eq!(verified["root"], head["root"]);
    }
    let judged = ledger.ask(["verify", "--rules"]).await;
    has(&judged, &verify);
    let note = judged["notes"].to_string();
    assert!(note.contains("verdicts follow from the chain"), "{note}");
    ledger.ask(["status"]).await;
}

#[tokio::test]
async fn output_has_five_forms_and_what_is_not_there_says_so() {
    let (ledger, _serving) = busy().await;
    for form in ["ndjson", "csv", "markdown", "table"] {
        let ran = ledger.run(["log", "-o", form]).await.expect(0);
        assert!(ran.out.lines().count() >= 3, "{form}:\n{}", ran.out);
    }
    let lines = ledger.run(["log", "-o", "ndjson"]).await.expect(0).out;
    for line in lines.lines() {
        has(&serde_json::from_str(line).expect("JSON"), &LOG);
    }
    ledger
        .run(["state", "platform.environment", "nowhere"])
        .await
        .expect(5);
    ledger
        .run(["history", "platform.environment", "nowhere"])
        .await
        .expect(5);
    let before_all = [
        "state",
        "platform.environment",
        "--as-known",
        "2000-01-01T00:00:00Z",
    ];
    let earlier = ledger.ask(before_all).await;
    assert_eq!(earlier.as_array().map(Vec::len), Some(0), "{earlier}");
    // Who saw an event recorded finds its entity.
    for number in 0..10 {
        let id = format!("fresh-{number}");
        let event = feed::created(&id, &id);
        let publish = ["publish", "--wait", "-"];
        ledger.run_with(publish, &event).await.expect(0);
        let state = ["state", "platform.environment", &id];
        ledger.run(state).await.expect(0);
    }
    // Nothing found is said, and what cannot be found is refused: it must not look as if all were well.
    let none = ledger.run(["state", "gitops.commit"]).await.expect(0);
    assert!(none.out.is_empty() && !none.err.is_empty(), "{}", none.out);
    for arguments in [
        &["log", "--id", "nowhere"][..],
        &["show", "--dangling", "gitops.commit"],
        &["quarantine", "--reason", "json.depth"],
        &["incidents", "--class", "environment_degraded"],
        &["state", "platform.environment", "--status", "retired"],
        &["log", "--type", "platform.environment.updated"],
        &["hold", "list"],
        &["rule", "list"],
    ] {
        let none = ledger.run(arguments).await.expect(0);
        assert!(none.out.is_empty() && !none.err.is_empty(), "{arguments:?}");
    }
    for arguments in [
        &["state", "platform.enviroment"][..],
        &["log", "--kind", "platform.enviroment"],
        &["incidents", "--kind", "platform.enviroment"],
        &["incidents", "--class", "enviroment_degraded"],
        &["state", "platform.environment", "--status", "retried"],
        &["log", "--type", "platform.environment.updatet"],
        &["show", "--dangling", "platform.enviroment"],
        &[
            "violations",
            "--kind",
            "platform.enviroment",
            "--assert-none",
        ],
        &["violations", "--rule", "transition.ilegal", "--assert-none"],
    ] {
        let said = ledger.run(arguments).await.expect(5).err;
        assert!(said.contains("the active catalog has no"), "{said}");
    }
    let own = [
        "violations",
        "--rule",
        "verdict.unexpected",
        "--assert-none",
    ];
    ledger.run(own).await.expect(0);
    let checkpoint = ledger.run(["checkpoint"]).await.expect(0);
    assert!(
        checkpoint.out.contains("ledger.example/main"),
        "{}",
        checkpoint.out
    );
}

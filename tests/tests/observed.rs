//! What git has is compared with what the ledger knows, by way of an observer.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::{Installation, feed};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

async fn git(repository: &Path, arguments: &[&str]) -> String {
    let said = Command::new("git")
        .args(["-c", "user.name=ada", "-c", "user.email=ada@example.org"])
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .output()
        .await
        .expect("git is there");
    assert!(said.status.success(), "{arguments:?}: {said:?}");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// What the observer prints where the ledger knows these tags.
async fn observed(repository: &Path, known: &str) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ops/observe-git");
    let mut child = Command::new(script)
        .arg(repository)
        .env("USER", "observer")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the observer begins");
    let mut input = child.stdin.take().expect("its input");
    input.write_all(known.as_bytes()).await.expect("written");
    drop(input);
    let said = child.wait_with_output().await.expect("it ends");
    assert!(said.status.success());
    String::from_utf8(said.stdout).expect("text")
}

fn tagged(name: &str, commit: &str) -> String {
    json!({
        "specversion": "1.0", "id": name, "source": "urn:test", "subject": name,
        "type": "release.git_tag.created", "time": "2026-07-01T09:00:00Z", "authid": "ci",
        "data": {"tag_name": name, "tag_type": "version", "commit_sha": commit, "created_at": "2026-07-01T09:00:00Z"},
    })
    .to_string()
}

#[tokio::test]
async fn tags_that_git_has_otherwise_are_found_and_mended() {
    let ledger = Installation::start().await;
    let _serving = ledger.serve().await;
    let folder = ledger.path("repository");
    tokio::fs::create_dir_all(&folder).await.expect("a folder");
    git(&folder, &["init", "--quiet"]).await;
    git(
        &folder,
        &["commit", "--quiet", "--allow-empty", "-m", "one"],
    )
    .await;
    let commit = git(&folder, &["rev-parse", "HEAD"]).await;
    git(&folder, &["tag", "v1.0.0"]).await;
    git(&folder, &["tag", "--annotate", "v1.0.1", "-m", "noted"]).await;
    git(&folder, &["tag", "v1.0.2"]).await;

    // One is as it is in git, annotated; one was made on another commit, one is not there; of one nobody said anything.
    let other = "d".repeat(40);
    let events = [
        tagged("v1.0.1", &commit),
        tagged("v1.0.0", &other),
        tagged("v2.0.0", &commit),
    ];
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
    let compare = async || {
        let known = ["state", "release.git_tag", "--all", "-o", "ndjson"];
        let known = ledger.run(known).await.expect(0).out;
        let events = observed(&folder, &known).await;
        let publish = ["publish", "--publisher", "terraform", "--wait", "-"];
        ledger.run_with(publish, &events).await.expect(0);
        ledger.settles().await;
        let asked = [
            "violations",
            "--rule",
            "reconcile.mismatch",
            "--status",
            "open",
        ];
        let open = ledger.ask(asked).await;
        let ids = open.as_array().expect("a list").iter();
        let mut ids: Vec<String> = ids
            .map(|one| {
                one.get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(compare().await, ["v1.0.0", "v1.0.2", "v2.0.0"]);

    git(&folder, &["tag", "v2.0.0"]).await;
    assert_eq!(compare().await, ["v1.0.0", "v1.0.2"]);
}

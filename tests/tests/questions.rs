//! What people ask of a ledger, by the commands that they ask with.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use serde_json::{Value, json};
use tests::program::{Serving, run_alone};
use tests::{Installation, feed};

fn event(number: u64, event_type: &str, subject: &str, data: &Value) -> String {
    json!({
        "specversion": "1.0", "id": format!("q{number}"), "source": "urn:test", "type": event_type, "subject": subject,
        "time": format!("2026-07-01T10:{number:02}:00Z"), "authid": "ana@example.org", "data": data,
    })
    .to_string()
}

/// Three versions, each deployed to production, and an environment with a pool.
fn events() -> Vec<String> {
    let mut events = Vec::new();
    let mut add = |event_type: &str, subject: &str, data: Value| {
        let number = u64::try_from(events.len()).unwrap_or_default();
        events.push(event(number, event_type, subject, &data));
    };
    for patch in 0..3 {
        let (version, sha) = (format!("api/v1.2.{patch}"), format!("{patch:040x}"));
        let deployment = json!({
            "version": version, "environment": "production", "commit_sha": sha, "will_move_env_tag": true,
            "workflow_run_id": "1", "triggered_by": "bot", "tag_name": version,
        });
        let id = format!("d{patch}");
        add("release.deployment.started", &id, deployment);
        add("release.deployment.succeeded", &id, json!({}));
    }
    add(
        "release.git_tag.created",
        "api/v1.2.1",
        json!({ "tag_name": "api/v1.2.1", "tag_type": "version", "commit_sha": format!("{:040x}", 1),
                "created_at": "2026-07-01T00:00:00Z" }),
    );
    for _ in 0..2 {
        add(
            "platform.access_policy.granted",
            "staging/app-team",
            json!({ "role": "app-team", "environment": "staging", "permissions": ["read"] }),
        );
    }
    events
}

async fn publish(ledger: &Installation, events: &[String]) -> Vec<Value> {
    let file = ledger.path("events.ndjson");
    std::fs::write(&file, events.join("\n")).expect("written");
    let path = file.to_str().expect("UTF-8").to_owned();
    let said = ledger.ask(["publish", "--wait", &path]).await;
    said.as_array().cloned().unwrap_or_default()
}

async fn asked() -> (Installation, Serving) {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let mut all = events();
    all.push(feed::created("e1", "staging"));
    all.push(feed::status_changed(
        "e2",
        "staging",
        "provisioning",
        "ready",
    ));
    for one in publish(&ledger, &all).await {
        assert_eq!(one["status"], "recorded", "{one}");
    }
    let broken = ("ledger.main.ingest.tf.platform.environment.created", "{");
    feed::send(&ledger.nats.jetstream().await, [broken, broken]).await;
    ledger.settles().await;
    (ledger, serving)
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of events and what comes of them"
)]
async fn the_usual_questions_have_answers() {
    let (ledger, _serving) = asked().await;

    // A rollback's target is the data of the event that records the choice.
    let target = ["rollback-target", "api", "--environment", "production"];
    let found = ledger.ask(target).await;
    assert_eq!(found["current_version"]["full_version"], "api/v1.2.2");
    assert_eq!(found["target_version"]["full_version"], "api/v1.2.1");
    let chosen = event(50, "release.rollback.target_selected", "rb-1", &found);
    let recorded = publish(&ledger, &[chosen]).await;
    assert_eq!(recorded[0]["status"], "recorded", "{recorded:?}");
    let stable = json!({ "tag_name": "api/v1.2.1-stable", "tag_type": "state", "state": "stable",
                         "version": "api/v1.2.1", "is_movable": false,
                         "commit_sha": format!("{:040x}", 1), "created_at": "2026-07-01T00:00:00Z" });
    let tag = event(51, "release.git_tag.created", "api/v1.2.1-stable", &stable);
    publish(&ledger, &[tag]).await;
    ledger.settles().await;
    let found = ledger.ask(target).await;
    assert_eq!(found["target_version"]["states"], json!(["stable"]));
    assert_eq!(found["current_version"]["states"], json!([]));
    let table = ledger.run(target).await.expect(0);
    let row = table.out.lines().find(|line| line.contains("target"));
    assert!(
        row.is_some_and(|row| row.contains("stable")),
        "{}",
        table.out
    );
    let nothing = ["rollback-target", "web", "-e", "production"];
    let ran = ledger.run(nothing).await.expect(5);
    assert!(ran.err.contains("web"), "{}", ran.err);
    let first = "2026-07-01T10:01:30Z";
    let seq = ledger.ask(["history", "release.deployment", "d0"]).await[1]["seq"].to_string();
    let at_first = ["rollback-target", "api", "-e", "production", "--at", &seq];
    let ran = ledger.run(at_first).await.expect(5);
    assert!(ran.err.contains("api/v1.2.0"), "{}", ran.err);

    // What was true then, and how many.
    let then = ledger
        .ask(["state", "release.deployment", "--as-of", first])
        .await;
    assert_eq!(then.as_array().map(Vec::len), Some(1), "{then}");
    assert_eq!(then[0]["status"], "succeeded");
    let limited = ledger
        .run(["state", "release.deployment", "-n", "2"])
        .await
        .expect(0);
    assert!(limited.err.contains("there are more"), "{}", limited.err);
    let all = ledger
        .run(["state", "release.deployment", "--all"])
        .await
        .expect(0);
    assert_eq!((all.out.lines().count(), all.err.as_str()), (4, ""));

    // What names what, and what is not there.
    let shown = ledger.ask(["show", "release.git_tag", "api/v1.2.1"]).await;
    assert_eq!(shown["status"], "created");
    assert_eq!(
        shown["named_by"][0],
        json!({ "kind": "release.deployment", "id": "d1", "field": "tag_name", "status": "succeeded" })
    );
    let dangling = ledger
        .ask(["show", "--dangling", "release.deployment"])
        .await;
    let has = |id: &str, field: &str| {
        let all = dangling.as_array().expect("a list").iter();
        all.filter(|one| one["id"] == id && one["field"] == field)
            .count()
            == 1
    };
    assert!(
        has("d0", "tag_name") && has("d0", "version") && !has("d1", "tag_name"),
        "{dangling}"
    );
    let d1 = ledger.ask(["show", "release.deployment", "d1"]).await;
    let tag = d1["names"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["field"] == "tag_name");
    assert_eq!(
        tag,
        Some(
            &json!({ "field": "tag_name", "kind": "release.git_tag", "id": "api/v1.2.1", "status": "created", "dangling": false })
        )
    );
    for form in ["table", "csv", "markdown"] {
        let ran = ledger
            .run(["show", "release.deployment", "d1", "-o", form])
            .await
            .expect(0);
        assert!(ran.out.contains("api/v1.2.1"), "{form}: {}", ran.out);
    }
    ledger
        .run(["show", "release.deployment", "nowhere"])
        .await
        .expect(5);

    // What was refused, by the views and by the chain itself.
    let refused = ledger.ask(["quarantine"]).await;
    assert_eq!(refused.as_array().map(Vec::len), Some(2), "{refused}");
    assert_eq!(refused, ledger.ask(["quarantine", "--scan"]).await);
    let one = ledger.run(["quarantine", "-n", "1"]).await.expect(0);
    assert!(one.err.contains("there are more"), "{}", one.err);
    let seq = refused[0]["seq"].to_string();
    assert_eq!(
        ledger
            .run(["quarantine", &seq, "--body"])
            .await
            .expect(0)
            .out,
        "{"
    );
    ledger.run(["quarantine", "0"]).await.expect(5);

    // What dashboards read.
    let views = ledger.ask(["catalog", "views"]).await;
    let deployments = views
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["view"] == "release_deployments");
    assert!(
        deployments.is_some_and(|one| one["columns"][0]["name"] == "ledger"),
        "{deployments:?}"
    );
    let page = ledger
        .run(["catalog", "views", "views.release_deployments"])
        .await
        .expect(0);
    assert!(
        page.out.contains("| `will_move_env_tag` | boolean |"),
        "{}",
        page.out
    );
    ledger.run(["catalog", "views", "nothing"]).await.expect(5);
}

/// The rule's own sentences, what the event said of it, and what to do: the same wherever a verdict is shown.
#[tokio::test]
async fn what_is_broken_is_said_in_words() {
    let (ledger, _serving) = asked().await;
    let rule = ["violations", "--rule", "deployment.no_started_at"];
    let found = ledger.ask(rule).await;
    let first = &found[0];
    let message = first["message"].as_str().unwrap_or_default();
    assert_eq!(
        message,
        format!(
            "A deployment that runs says since when. release.deployment.started (position {}) broke that for \
             release.deployment d0: `started_at` is not there. Publish `started_at`.",
            first["cause_seq"]
        )
    );
    let shown = ledger.ask(["show", "release.deployment", "d0"]).await;
    let wrong = shown["violations"].as_array().cloned().unwrap_or_default();
    assert!(wrong.contains(first), "{wrong:?}");
    assert!(wrong.iter().all(|one| one["status"] == "open"));
    let table = ledger
        .run(["show", "release.deployment", "d0"])
        .await
        .expect(0);
    assert!(table.out.contains(message), "{}", table.out);

    // Of a rule with several parts, the words of the one that broke.
    for (rule, words) in [
        (
            "tag.type_fields",
            "A tag of a version or a state names it, and does not move. ",
        ),
        (
            "access_policy.duplicate_role",
            "A policy that is live is updated, not granted again. ",
        ),
    ] {
        let found = ledger.ask(["violations", "--rule", rule]).await;
        let message = found[0]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(words), "{found}");
    }

    // Of every verdict that there is, nothing but sentences.
    let all = ledger.ask(["violations", "--all"]).await;
    for one in all.as_array().cloned().unwrap_or_default() {
        let said = one["message"].as_str().unwrap_or_default();
        assert!(
            !said.contains(" broke `") && !said.contains(" Or: "),
            "{one}"
        );
    }
}

/// The same bytes for the same chain; a document that says something else is found.
#[tokio::test]
async fn a_runbook_s_section_is_printed_and_compared() {
    let (ledger, _serving) = asked().await;
    let section = ledger.run(["export", "markdown"]).await.expect(0).out;
    assert!(section.contains("### `staging`"), "{section}");
    assert!(section.contains("| provisioning | ready |"), "{section}");
    let again = ledger.run(["export", "markdown"]).await.expect(0).out;
    assert_eq!(section, again);
    let file = ledger.path("rollback.md");
    std::fs::write(&file, format!("# Rollback\n\n{section}\nMore.\n")).expect("written");
    let path = file.to_str().expect("UTF-8");
    let check = ["export", "markdown", "--check", path];
    let said = ledger.ask(check).await;
    assert_eq!(said["digest"], said["expected"]);
    let old = section.replace("| provisioning | ready |", "| provisioning | retired |");
    std::fs::write(&file, old).expect("written");
    let said = ledger.run(check).await.expect(4);
    assert!(said.err.contains("is out of date"), "{}", said.err);
    std::fs::write(&file, "# Rollback\n").expect("written");
    ledger.run(check).await.expect(5);
    ledger.run(["export", "elsewhere"]).await.expect(2);
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused() {
    for arguments in [
        &["show"][..],
        &["show", "release.git_tag"],
        &["show", "release.git_tag", "x", "--dangling"],
        &["state", "--as-of", "yesterday", "--at", "3"],
        &["state", "-n", "0"],
        &["rollback-target", "api"],
        &[
            "rollback-target",
            "api",
            "-e",
            "production",
            "--exclude-unstable",
            "perhaps",
        ],
    ] {
        let ran = run_alone(arguments).await.expect(2);
        assert!(
            ran.out.is_empty() && !ran.err.is_empty(),
            "{arguments:?}: {}",
            ran.out
        );
    }
}

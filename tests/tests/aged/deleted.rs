//! What is due is shown, announced, deleted and explained; what a hold, a longer class or its age keeps stays.

use std::collections::BTreeMap;

use schema::rule::describe::OWN;
use serde_json::{Value, json};
use tests::Installation;
use tests::program::eventually;

use crate::chain::{DAY_US, Past, now_us};

const ALERT: &str = "platform.alert";
const WITHOUT_RETAIN: [&str; 7] = [
    "ingest", "project", "outbox", "clock", "seal", "notify", "http",
];
/// Between the announcement and the deletion somebody places a hold.
const NOTICE_S: u64 = 40;

/// What was recorded when, by names.
struct Old {
    ledger: Installation,
    /// Positions.
    at: BTreeMap<&'static str, u64>,
    /// The day of what the hold by time covers, `2025-10-01`.
    day: String,
    /// The month in which it all began.
    month: String,
}

impl Old {
    fn seqs(&self, names: &[&str]) -> Vec<u64> {
        let mut seqs: Vec<u64> = names.iter().map(|name| self.at[name]).collect();
        seqs.sort_unstable();
        seqs
    }

    /// What has no data any more.
    async fn gone(&self) -> Vec<u64> {
        let client = self.ledger.postgres.connect(&self.ledger.database).await;
        let sql = "SELECT seq FROM ledger.event e
                    WHERE NOT EXISTS (SELECT FROM ledger.body b WHERE b.seq = e.seq) ORDER BY seq";
        let rows = client.query(sql, &[]).await.expect("rows");
        let seq = |row: &tokio_postgres::Row| u64::try_from(row.get::<_, i64>(0)).expect("small");
        rows.iter().map(seq).collect()
    }

    async fn until_gone(&self, names: &[&str]) {
        let wanted = self.seqs(names);
        eventually(&format!("the data of {names:?} is gone"), async || {
            self.gone().await.len() >= wanted.len()
        })
        .await;
        assert_eq!(self.gone().await, wanted, "{names:?}");
    }

    /// The plan's lines of a stage that have old positions, as (positions, held, holds).
    async fn planned(&self, stage: &str) -> Vec<(Vec<u64>, u64, Value)> {
        let plan = self.ledger.ask(["retention", "plan"]).await;
        let of_stage = plan.as_array().expect("a list").iter();
        let line = |one: &Value| {
            let ranges: Vec<(u64, u64)> =
                serde_json::from_value(one["ranges"].clone()).expect("ranges");
            let seqs = ranges.into_iter().flat_map(|(from, to)| from..=to);
            (
                seqs.collect(),
                one["held"].as_u64().expect("a count"),
                one["holds"].clone(),
            )
        };
        of_stage
            .filter(|one| one["stage"] == stage && one["class"] == "365d")
            .map(line)
            .collect()
    }

    async fn hold(&self, name: &str, scope: &[&str]) {
        let mut arguments = vec![
            "hold", "place", name, "--by", "alice", "--reason", "an audit",
        ];
        arguments.extend(scope);
        self.ledger.run(arguments).await.expect(0);
    }

    async fn verifies(&self) {
        for arguments in [
            &["verify"][..],
            &["verify", "--deep"],
            &["verify", "--rules"],
        ] {
            let report = self.ledger.ask(arguments).await;
            assert_eq!(report["ok"], true, "{arguments:?}: {report}");
        }
    }
}

fn fired(name: &str) -> Value {
    json!({"fingerprint": name, "alert": "NodeNotReady", "severity": "warning", "labels": {"node": "118001-a"}})
}

/// Everything that was recorded 400 days ago and later.
async fn old() -> Old {
    let settings = json!({
        "operators": ["terraform"], "retention": {"notice": format!("{NOTICE_S}s")},
    });
    let mut past = Past::begin(420, settings).await;
    let month = schema::time::format_us(past.begun_us)[..7].to_owned();
    let mut at = BTreeMap::new();
    past.days_ago(400);
    let environment = json!({
        "name": "staging", "namespace": "env-staging", "status": "provisioning",
        "quota": {"cpu": "16", "memory": "64Gi", "pods": 250}, "labels": {},
    });
    let created = "platform.environment.created";
    at.insert(
        "for ever",
        past.record(created, "staging", environment).await,
    );
    let run = "6f1c1f7e-7c1b-4a54-9a3e-000000000001";
    let started = json!({
        "run_id": run, "trigger_type": "bootstrap", "initiated_by": "ana@example.org", "git_commit": "58d1a8bb",
        "nodes": [{"node_id": "pi-1", "role": "worker"}],
    });
    let started = past.record("cluster.provisioning_run.started", run, started);
    at.insert("for a year at least", started.await);
    let alert = "platform.alert.fired";
    at.insert("gone", past.record(alert, "gone", fired("gone")).await);
    let taken = json!({"by": "ben@example.org", "note": "Draining the node."});
    let taken = past.record("platform.alert.acknowledged", "gone", taken);
    at.insert("gone, too", taken.await);
    at.insert(
        "entity",
        past.record(alert, "entity", fired("entity")).await,
    );
    at.insert("late", past.record(alert, "late", fired("late")).await);
    let revision = "58d1a8bb8ef8d9c45abe8593a8fe95b7b39fae9e";
    let commit = json!({
        "revision": revision, "repository": "https://git.example/infra.git", "branch": "main",
        "author": "ben@example.org", "paths": ["k8s/clusters/prod/shop/checkout.yaml"],
    });
    let commit = past.record("gitops.commit.recorded", revision, commit);
    at.insert("kind", commit.await);
    let surface = json!({
        "app": "api", "environment": "production", "platform": "cloud-run", "credential_refs": [],
        "concurrency_limit": 5, "health_check": "/healthz", "ready_check": "/readyz",
    });
    past.record("delivery.deployment_surface.created", "api-prod", surface)
        .await;
    let guardrail = json!({"metric_name": "api_p95", "threshold": 300, "surface_ref": "api-prod"});
    let defined = past.record("delivery.guardrail.defined", "g-1", guardrail);
    at.insert("gone, a guardrail", defined.await);
    let breached = json!({"value": 1240, "threshold_at": 300});
    let breached = past.record("delivery.guardrail.breached", "g-1", breached);
    at.insert("incident", breached.await);
    past.days_ago(380);
    let day = schema::time::format_us(now_us() - 380 * DAY_US)[..10].to_owned();
    at.insert("time", past.record(alert, "time", fired("time")).await);
    past.days_ago(300);
    at.insert("young", past.record(alert, "young", fired("young")).await);
    let ledger = Box::pin(past.today()).await;
    Old {
        ledger,
        at,
        day,
        month,
    }
}

#[tokio::test]
async fn data_whose_time_is_over_is_deleted_and_explained_and_what_is_held_stays() {
    let mut old = Box::pin(old()).await;
    let operators = "[catalog]\noperators = \"terraform\"";
    old.ledger.configure("ledger.example/main", operators);

    // Nothing is deleted where nobody has the role, and the process without it is ready.
    let serving = old.ledger.serve_roles(&WITHOUT_RETAIN);
    eventually("it is ready without the role", async || {
        let ready = old.ledger.http("/readyz").await;
        ready.starts_with("HTTP/1.1 200") && !ready.contains("\"retain\"")
    })
    .await;
    old.ledger.settles().await;
    holds_are_placed(&old).await;
    let due = old.planned("due").await;
    let [(seqs, held, holds)] = due.as_slice() else {
        panic!("{due:?}");
    };
    let over = [
        "gone",
        "gone, too",
        "gone, a guardrail",
        "late",
        "kind",
        "entity",
        "time",
        "incident",
    ];
    assert_eq!(*seqs, old.seqs(&over));
    assert_eq!(
        (*held, holds),
        (
            4,
            &json!(["by-entity", "by-incident", "by-kind", "by-time"])
        )
    );
    let later = old.planned("later").await;
    let young = old.at["young"];
    assert!(
        later.iter().any(|(seqs, ..)| seqs.contains(&young)),
        "{later:?}"
    );
    assert_eq!(old.gone().await, Vec::<u64>::new());
    old.verifies().await;
    assert_eq!(serving.stop().await, 0);

    // Announced; and somebody holds one of them before its time has come.
    let serving = old.ledger.serve().await;
    eventually("it is announced", async || {
        !old.planned("scheduled").await.is_empty()
    })
    .await;
    old.hold("at-the-last-moment", &["--kind", ALERT, "--id", "late"])
        .await;
    assert_eq!(
        old.gone().await,
        Vec::<u64>::new(),
        "nothing is deleted yet"
    );
    let goes = ["gone", "gone, too", "gone, a guardrail"];
    old.until_gone(&goes).await;
    old.ledger.settles().await;
    assert_eq!(old.gone().await, old.seqs(&goes));
    let blocked = ["violations", "--rule", "retention.blocked"];
    assert_eq!(old.ledger.ask(blocked).await, json!([]));
    // What the ledger itself raises can be asked for like any rule of a kind's file.
    for (name, ..) in OWN {
        old.ledger
            .run(["violations", "--rule", name])
            .await
            .expect(0);
    }
    old.verifies().await;
    everybody_is_told(&old).await;
    a_bundle_verifies(&old).await;
    keys_are_destroyed(&old);

    // Somebody who stands by takes over when it is killed; what is released goes.
    serving.kill().await;
    let serving = old.ledger.serve().await;
    let release = ["hold", "release", "by-kind", "--by", "alice"];
    old.ledger.run(release).await.expect(0);
    old.until_gone(&["gone", "gone, too", "gone, a guardrail", "kind"])
        .await;
    old.ledger.settles().await;
    let state = [
        "state",
        "gitops.commit",
        "58d1a8bb8ef8d9c45abe8593a8fe95b7b39fae9e",
    ];
    let state = old.ledger.ask(state).await;
    assert_eq!(
        (&state["redacted"], state["attributes"].get("author")),
        (&json!(true), None),
        "{state}"
    );
    old.ledger.run(["rebuild"]).await.expect(0);
    old.verifies().await;
    assert_eq!(serving.stop().await, 0);
}

/// By kind, by entity, by time and by incident: what each covers is due like the rest.
async fn holds_are_placed(old: &Old) {
    let incidents = ["incidents", "--class", "guardrail_breached"];
    let incidents = old.ledger.ask(incidents).await;
    let incident = incidents[0]["incident"].as_str().expect("an incident");
    old.hold("by-kind", &["--kind", "gitops.commit"]).await;
    old.hold("by-entity", &["--kind", ALERT, "--id", "entity"])
        .await;
    old.hold("by-time", &["--from", &old.day, "--to", &old.day])
        .await;
    old.hold("by-incident", &["--incident", incident]).await;
    old.ledger.settles().await;
}

/// Whoever reads is told that it was deleted, why, and by which event.
async fn everybody_is_told(old: &Old) {
    let ask = async |arguments: &[&str]| old.ledger.ask(arguments).await;
    let applied = ask(&["log", "--type", "ledger.retention.applied"]).await;
    let by = applied[0]["seq"].as_u64().expect("a position");
    for name in ["gone", "gone, too", "gone, a guardrail"] {
        let place = old.at[name].to_string();
        let log = ask(&["log", "--from", &place, "--limit", "1"]).await;
        let redacted = &log[0]["redacted"];
        assert_eq!(
            (&log[0]["data"], &redacted["by"], &redacted["rule"]),
            (&Value::Null, &json!(by), &json!("365d")),
            "{log}"
        );
        assert!(redacted["at"].is_string(), "{log}");
    }
    for what in ["state", "show"] {
        let state = ask(&[what, ALERT, "gone"]).await;
        // A summary stays, without what is sensitive.
        assert_eq!(
            (
                &state["redacted"],
                &state["status"],
                &state["redaction"]["by"]
            ),
            (&json!(true), &json!("acknowledged"), &json!(by)),
            "{what}: {state}"
        );
        assert_eq!(state["redaction"]["rule"], "365d", "{what}: {state}");
        assert!(
            !state.to_string().contains("ben@example.org"),
            "{what}: {state}"
        );
        let kept = ask(&[what, ALERT, "late"]).await;
        assert_eq!(kept["redacted"], false, "{what}: {kept}");
    }
    let history = ask(&["history", ALERT, "gone"]).await;
    for line in history.as_array().expect("a list") {
        assert_eq!(line["redacted"], true, "{history}");
    }
    // What is announced and held is still shown, and the rest is not any more.
    let scheduled = old.planned("scheduled").await;
    let due = old.planned("due").await;
    assert!(due.is_empty(), "{due:?}");
    let waits: Vec<u64> = scheduled
        .iter()
        .flat_map(|(seqs, ..)| seqs.clone())
        .collect();
    assert_eq!(
        waits,
        old.seqs(&["late", "kind", "entity", "time", "incident"])
    );
}

/// Offline, from the files alone.
async fn a_bundle_verifies(old: &Old) {
    let exported = old.ledger.ask(["export", "--all", "bundle"]).await;
    let key = exported["key"].as_str().expect("a key");
    let report = old
        .ledger
        .ask(["verify", "--bundle", "bundle", "--key", key])
        .await;
    assert_eq!(report["ok"], true, "{report}");
    let events = std::fs::read_to_string(old.ledger.path("bundle/events.ndjson")).expect("events");
    let gone = old.at["gone"];
    let line = events.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        (line["seq"] == json!(gone)).then_some(line)
    });
    let line = line.expect("the position is in the bundle");
    assert_eq!(line["redacted"]["rule"], "365d", "{line}");
    assert!(line.get("data").is_none_or(Value::is_null), "{line}");
}

/// The stream has nothing of that month any more: nobody can guess back what was deleted.
fn keys_are_destroyed(old: &Old) {
    let key = |ending: &str| {
        old.ledger
            .path(&format!("keys/salt/{}.{ending}", old.month))
    };
    assert!(!key("key").exists(), "{}", old.month);
    assert!(key("destroyed").exists(), "{}", old.month);
    let today = schema::time::format_us(now_us())[..7].to_owned();
    assert!(old.ledger.path(&format!("keys/salt/{today}.key")).exists());
}

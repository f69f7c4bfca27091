//! The derived views: what follows from several events or entities.

use serde_json::{Value, json};

use crate::asking::{event, row, rows};
use crate::support::Fixture;

const RUN: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const SHA: [&str; 2] = [
    "e38e78c3fe3fae2431ce9d54ebf282267cd6a137",
    "58d1a8bb8ef8d9c45abe8593a8fe95b7b39fae9e",
];

#[tokio::test]
async fn a_runs_nodes_keep_the_role_that_they_had() {
    let mut fixture = Fixture::new().await;
    let time = "2026-07-04T10:00:00Z";
    let nodes = json!([{ "node_id": "pi-3", "role": "worker" }, { "node_id": "pi-9", "role": "server-agent" }]);
    let started = json!({ "trigger_type": "rebuild", "nodes": nodes, "started_at": time });
    event(
        &mut fixture,
        "cluster.provisioning_run.started",
        RUN,
        time,
        started,
    )
    .await;
    let node = json!({ "role": "server-agent" });
    event(&mut fixture, "cluster.node.registered", "pi-3", time, node).await;
    fixture.fold().await;
    let client = fixture.superuser().await;
    let found = rows(
        &client,
        "SELECT run_id, place, node_id, role, role_now, trigger_type, status FROM \
         views.cluster_provisioning_run_nodes ORDER BY place",
    )
    .await;
    let line = |place: u64, node: &str, role: &str, now: Option<&str>| {
        json!({ "run_id": RUN, "place": place, "node_id": node, "role": role, "role_now": now,
                "trigger_type": "rebuild", "status": "pending" })
    };
    assert_eq!(
        found,
        [
            line(1, "pi-3", "worker", Some("server-agent")),
            line(2, "pi-9", "server-agent", None)
        ]
    );
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of events and what comes of them"
)]
async fn what_is_due_is_listed_until_it_is_done() {
    let mut fixture = Fixture::new().await;
    let rotation = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
    let items = json!([{ "name": "api-token", "purpose": "api-token", "rotation_frequency_days": 30 },
                       { "name": "metrics", "purpose": "metrics", "rotation_frequency_days": 10 }]);
    let bundle = "8ea04044-958d-4ca7-be14-37de1eb16681";
    let route = "16fd2706-8baf-433b-82eb-8c7fada847da";
    for (kind, id, time, data) in [
        (
            "cluster.secret_rotation.scheduled",
            rotation,
            "2026-07-01T00:00:00Z",
            json!({ "rotation_scope": "registry" }),
        ),
        (
            "cluster.secret_rotation.started",
            rotation,
            "2026-07-02T00:00:00Z",
            json!({}),
        ),
        (
            "cluster.secret_rotation.verified",
            rotation,
            "2026-07-03T00:00:00Z",
            json!({ "next_rotation_due": "2026-09-01T00:00:00Z" }),
        ),
        (
            "platform.secrets_bundle.created",
            bundle,
            "2026-07-01T00:00:00Z",
            json!({ "bundle_id": bundle, "environment": "production", "items": items, "source": "ext-vault" }),
        ),
        (
            "platform.secrets_bundle.rotated",
            bundle,
            "2026-07-08T00:00:00Z",
            json!({ "rotated_items": ["metrics"] }),
        ),
        (
            "cluster.alert_route.created",
            route,
            "2026-07-01T00:00:00Z",
            json!({ "alert_name": "A", "severity": "critical", "channel": "pager", "acknowledgement_target": "x" }),
        ),
        (
            "cluster.alert_route.tested",
            route,
            "2026-07-05T00:00:00Z",
            json!({}),
        ),
        (
            "platform.access_policy.granted",
            "production/read-only",
            "2026-07-01T00:00:00Z",
            json!({ "environment": "production", "role": "read-only", "permissions": ["get"] }),
        ),
        (
            "governance.override.recorded",
            "ovr-1",
            "2026-07-01T00:00:00Z",
            json!({ "rule": "x", "reason": "y" }),
        ),
        (
            "governance.override.recorded",
            "ovr-2",
            "2026-07-01T00:00:00Z",
            json!({ "rule": "x", "reason": "y" }),
        ),
        (
            "governance.review.recorded",
            "rev-1",
            "2026-07-02T00:00:00Z",
            json!({ "override_id": "ovr-2" }),
        ),
    ] {
        event(&mut fixture, kind, id, time, data).await;
    }
    fixture.fold().await;
    let client = fixture.superuser().await;
    let due = |sql: &'static str| {
        let client = &client;
        async move { rows(client, sql).await }
    };
    let rotations = "SELECT kind, scope, due_at FROM views.rotations_due ORDER BY kind, scope";
    let line = |kind: &str, scope: &str, day: &str| json!({ "kind": kind, "scope": scope, "due_at": format!("{day}T00:00:00+00:00") });
    assert_eq!(
        due(rotations).await,
        [
            line("cluster.secret_rotation", "registry", "2026-09-01"),
            line("platform.secrets_bundle", "api-token", "2026-07-31"),
            line("platform.secrets_bundle", "metrics", "2026-07-18"),
        ]
    );
    let reviews = "SELECT kind, id, what, due_at FROM views.reviews_due ORDER BY kind, what";
    let line = |kind: &str, id: &str, what: &str, day: &str| json!({ "kind": kind, "id": id, "what": what, "due_at": format!("{day}T00:00:00+00:00") });
    assert_eq!(
        due(reviews).await,
        [
            line("cluster.alert_route", route, "review", "2026-10-01"),
            line("cluster.alert_route", route, "test", "2026-08-04"),
            line("governance.override", "ovr-1", "review", "2026-07-06"),
            line(
                "platform.access_policy",
                "production/read-only",
                "review",
                "2026-10-01"
            ),
        ]
    );
    // The next one of the scope has begun, the policy was reviewed and is revoked later.
    let next = "2c5ea4c0-4067-11e9-8bad-9b1deb4d3b7d";
    let scope = json!({ "rotation_scope": "registry" });
    event(
        &mut fixture,
        "cluster.secret_rotation.scheduled",
        next,
        "2026-08-01T00:00:00Z",
        scope,
    )
    .await;
    event(
        &mut fixture,
        "cluster.secret_rotation.started",
        next,
        "2026-08-02T00:00:00Z",
        json!({}),
    )
    .await;
    let policy = "platform.access_policy";
    event(
        &mut fixture,
        &format!("{policy}.reviewed"),
        "production/read-only",
        "2026-08-01T00:00:00Z",
        json!({}),
    )
    .await;
    fixture.fold().await;
    let mine = "SELECT due_at FROM views.reviews_due WHERE kind = 'platform.access_policy'";
    assert_eq!(
        row(&client, mine).await["due_at"],
        json!("2026-11-01T00:00:00+00:00")
    );
    assert_eq!(
        due("SELECT 1 FROM views.rotations_due WHERE scope = 'registry'").await,
        Vec::<Value>::new()
    );
    event(
        &mut fixture,
        &format!("{policy}.revoked"),
        "production/read-only",
        "2026-08-02T00:00:00Z",
        json!({}),
    )
    .await;
    fixture.fold().await;
    assert_eq!(
        due("SELECT 1 FROM views.reviews_due WHERE kind = 'platform.access_policy'").await,
        Vec::<Value>::new()
    );
    // Other settings, and everything is due by them.
    let settings = json!({
        "quarter": "30d", "interval": { "alert_route_test": "1d12h" }, "grace": { "emergency_review": "36h" },
    });
    let packages = schema::Package::builtin().expect("the built-in packages load");
    fixture.activate_with(&packages, settings).await;
    fixture.fold().await;
    let days = "SELECT what, to_char(due_at AT TIME ZONE 'UTC', 'MM-DD HH24') AS due FROM views.reviews_due ORDER BY kind, what";
    assert_eq!(
        due(days).await,
        [
            json!({ "what": "review", "due": "07-31 00" }),
            json!({ "what": "test", "due": "07-06 12" }),
            json!({ "what": "review", "due": "07-02 12" }),
        ]
    );
}

fn deployment(environment: &str, version: &str, sha: &str) -> Value {
    json!({ "version": version, "environment": environment, "commit_sha": sha, "will_move_env_tag": true,
            "workflow_run_id": "1", "triggered_by": "bot", "queue_position": 7 })
}

#[tokio::test]
async fn queues_and_tags_follow_their_events() {
    let mut fixture = Fixture::new().await;
    let [one, two] = SHA;
    let tag = |sha: &str| {
        json!({ "tag_name": "api/production", "tag_type": "environment", "commit_sha": sha,
                                  "created_at": "2026-07-01T00:00:00Z", "environment": "production", "is_movable": true })
    };
    for (verb, id, minute) in [
        ("queued", "a", 0),
        ("queued", "b", 1),
        ("queued", "c", 2),
        ("started", "a", 3),
        ("cancelled", "b", 4),
    ] {
        let time = format!("2026-07-01T10:{minute:02}:00Z");
        event(
            &mut fixture,
            &format!("release.deployment.{verb}"),
            id,
            &time,
            deployment("production", "api/v1.0.0", one),
        )
        .await;
    }
    for (verb, time, data) in [
        ("created", "2026-07-01T11:00:00Z", tag(one)),
        (
            "moved",
            "2026-07-01T12:00:00Z",
            json!({ "old": one, "new": two, "deployment_id": "a" }),
        ),
        ("deleted", "2026-07-01T13:00:00Z", json!({})),
    ] {
        event(
            &mut fixture,
            &format!("release.git_tag.{verb}"),
            "api/production",
            time,
            data,
        )
        .await;
    }
    fixture.fold().await;
    let client = fixture.superuser().await;
    let queue = rows(
        &client,
        "SELECT environment, position, deployment_id, version, status, claimed_position, locked_at IS NULL AS waits \
         FROM views.release_deployment_queues ORDER BY position",
    )
    .await;
    let line = |position: u64, id: &str, status: &str| {
        json!({ "environment": "production", "position": position, "deployment_id": id, "version": "api/v1.0.0",
                "status": status, "claimed_position": 7, "waits": position > 0 })
    };
    assert_eq!(queue, [line(0, "a", "in_progress"), line(1, "c", "queued")]);
    let history = rows(
        &client,
        "SELECT tag_type, event, commit_before, commit_after, current, deployment_id, until_at \
         FROM views.release_tag_history ORDER BY seq",
    )
    .await;
    let line = |event: &str,
                before: Option<&str>,
                after: Option<&str>,
                deployment: Option<&str>,
                until: Option<&str>| {
        json!({ "tag_type": "environment", "event": event, "commit_before": before, "commit_after": after,
                "current": until.is_none(), "deployment_id": deployment, "until_at": until })
    };
    assert_eq!(
        history,
        [
            line(
                "created",
                None,
                Some(one),
                None,
                Some("2026-07-01T12:00:00+00:00")
            ),
            line(
                "moved",
                Some(one),
                Some(two),
                Some("a"),
                Some("2026-07-01T13:00:00+00:00")
            ),
            line("deleted", Some(two), None, None, None),
        ]
    );
}

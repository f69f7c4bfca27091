//! What is asked of the views: the past by what happened, filters, and limits.

use projections::query::{self, Refused, States, Violations, When, Which};
use projections::rollback::Criteria;
use schema::time::parse_rfc3339_us;
use serde_json::{Value, json};

use crate::asking::event;
use crate::support::{ENVIRONMENT, Fixture, key, main};

fn at(time: &str) -> When {
    When::AsOf(parse_rfc3339_us(time).expect("a time"))
}

#[tokio::test]
async fn what_was_true_is_told_by_what_happened_until_then() {
    let mut fixture = Fixture::new().await;
    for (verb, time, data) in [
        (
            "created",
            "2026-07-01T10:00:00Z",
            json!({ "name": "staging" }),
        ),
        (
            "status_changed",
            "2026-07-01T10:30:00Z",
            json!({ "from": "provisioning", "to": "ready" }),
        ),
        // Recorded last, and it happened before.
        (
            "updated",
            "2026-07-01T10:20:00Z",
            json!({ "namespace": "env-staging" }),
        ),
    ] {
        event(
            &mut fixture,
            &format!("{ENVIRONMENT}.{verb}"),
            "staging",
            time,
            data,
        )
        .await;
    }
    let later = "2026-07-02T10:00:00Z";
    event(
        &mut fixture,
        &format!("{ENVIRONMENT}.created"),
        "production",
        later,
        json!({ "name": "production" }),
    )
    .await;
    fixture.fold().await;
    let which = Which {
        kind: Some(ENVIRONMENT),
        id: None,
    };
    let mut found = Vec::new();
    for time in [
        "2026-07-01T09:59:59Z",
        "2026-07-01T10:10:00Z",
        "2026-07-01T10:20:00Z",
        "2026-07-01T10:30:00Z",
        later,
    ] {
        let rows = fixture.state(which, at(time)).await;
        let line = |row: &query::StateRow| {
            json!([
                row.id,
                row.status,
                row.attributes.get("namespace"),
                row.events
            ])
        };
        found.push(rows.iter().map(line).collect::<Vec<Value>>());
    }
    let staging = |status: &str, namespace: Option<&str>, events: u64| {
        json!(["staging", status, namespace, events])
    };
    assert_eq!(
        found,
        [
            vec![],
            vec![staging("provisioning", None, 1)],
            vec![staging("provisioning", Some("env-staging"), 2)],
            vec![staging("ready", Some("env-staging"), 3)],
            vec![
                json!(["production", "provisioning", null, 1]),
                staging("ready", Some("env-staging"), 3)
            ],
        ]
    );
    // A status of then, and not of now.
    let asked = States {
        which,
        status: Some("provisioning"),
        ..States::default()
    };
    let then = query::states(&fixture.db, &main(), &asked, at("2026-07-01T10:10:00Z"))
        .await
        .expect("an answer");
    assert_eq!(then.rows.len(), 1);
    let happened = query::history(
        &fixture.db,
        &main(),
        &key("staging"),
        at("2026-07-01T10:20:00Z"),
    )
    .await;
    assert_eq!(happened.expect("an answer").len(), 2);
}

#[tokio::test]
async fn lists_end_at_their_limit_and_say_that_there_is_more() {
    let mut fixture = Fixture::new().await;
    let mut last = 0;
    for number in 0..5 {
        let name = format!("e{number}");
        fixture.environment(&name, "created", json!({})).await;
        let to = if number % 2 == 0 { "ready" } else { "retired" };
        last = fixture
            .environment(&name, "status_changed", json!({ "to": to }))
            .await;
    }
    for _ in 0..3 {
        fixture
            .send("terraform", "platform.environment.created", b"{".to_vec())
            .await;
    }
    fixture.fold().await;
    let (db, ledger) = (&fixture.db, main());
    let which = Which {
        kind: Some(ENVIRONMENT),
        id: None,
    };
    let ready = States {
        which,
        status: Some("ready"),
        limit: Some(2),
        ..States::default()
    };
    for when in [When::Now, When::At(last)] {
        let found = query::states(db, &ledger, &ready, when)
            .await
            .expect("an answer");
        let ids: Vec<&str> = found.rows.iter().map(|row| row.id.as_str()).collect();
        assert_eq!((ids, found.more), (vec!["e0", "e2"], true), "{when:?}");
    }
    let recent = States {
        which,
        from: last,
        ..States::default()
    };
    let found = query::states(db, &ledger, &recent, When::Now)
        .await
        .expect("an answer");
    assert_eq!((found.rows.len(), found.more), (1, false));
    let asked = Violations {
        rule: Some("transition.illegal"),
        severities: Some(&["error"]),
        limit: Some(1),
        ..Violations::default()
    };
    let found = query::violated(db, &ledger, &asked, When::Now)
        .await
        .expect("an answer");
    assert_eq!((found.rows.len(), found.more), (1, true));
    let (severities, from) = (
        Some(&["critical"][..]),
        found.rows.first().map_or(0, |row| row.cause_seq + 1),
    );
    for (asked, many) in [
        (
            Violations {
                severities,
                ..Violations::default()
            },
            0,
        ),
        (
            Violations {
                rule: Some("another"),
                ..Violations::default()
            },
            0,
        ),
        (
            Violations {
                from,
                ..Violations::default()
            },
            1,
        ),
    ] {
        let found = query::violated(db, &ledger, &asked, When::Now)
            .await
            .expect("an answer");
        assert_eq!((found.rows.len(), found.more), (many, false), "{asked:?}");
    }
    let reader = ledger::read::Reader::open(db, &ledger)
        .await
        .expect("the ledger");
    let asked = Refused {
        reason: Some("json.syntax"),
        limit: Some(2),
        ..Refused::default()
    };
    let found = query::refused(&reader, &asked).await.expect("an answer");
    assert_eq!((found.rows.len(), found.more), (2, true));
    let history = query::histories(db, &ledger, &key("e0"), 0, Some(1), When::Now)
        .await
        .expect("an answer");
    assert_eq!((history.rows.len(), history.more), (1, true));
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of events and what comes of them"
)]
async fn a_rollbacks_target_is_computed_from_deployments_and_tags() {
    let mut fixture = Fixture::new().await;
    let sha = |patch: usize| format!("{patch:040x}");
    let version = |patch: usize| format!("api/v1.2.{patch}");
    let mut minute = 0;
    let mut time = || {
        minute += 1;
        format!("2026-07-01T10:{minute:02}:00Z")
    };
    for patch in 0..4 {
        let tag = json!({ "tag_name": version(patch), "tag_type": "version", "commit_sha": sha(patch),
                          "created_at": "2026-07-01T00:00:00Z", "version": version(patch) });
        event(
            &mut fixture,
            "release.git_tag.created",
            &version(patch),
            &time(),
            tag,
        )
        .await;
        let data = json!({ "version": version(patch), "environment": "production", "commit_sha": sha(patch),
                           "will_move_env_tag": true, "workflow_run_id": "1", "triggered_by": "bot" });
        let id = format!("d{patch}");
        event(
            &mut fixture,
            "release.deployment.started",
            &id,
            &time(),
            data,
        )
        .await;
        let end = if patch == 1 { "failed" } else { "succeeded" };
        event(
            &mut fixture,
            &format!("release.deployment.{end}"),
            &id,
            &time(),
            json!({}),
        )
        .await;
    }
    let mark = |name: &str| {
        json!({ "tag_name": name, "tag_type": "state", "commit_sha": sha(0), "state": "stable",
                                    "created_at": "2026-07-01T00:00:00Z" })
    };
    fixture.fold().await;
    let before = fixture.appender.head().size - 1;
    let ask = async |fixture: &Fixture, when: When| {
        let criteria = Criteria::default();
        let found =
            query::rollback(&fixture.db, &main(), "api", "production", criteria, when).await;
        let found = found.expect("an answer").expect("a current version");
        let mut found = serde_json::to_value(found).expect("JSON");
        let full = |value: &Value| value["full_version"].clone();
        let rejected: Vec<Value> = found["rejected_versions"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| json!([full(one), one["reason"]]))
            .collect();
        let (current, target) = (
            full(&found["current_version"]),
            full(&found["target_version"]),
        );
        json!([current, target, rejected, found["based_on"]["id"].take()])
    };
    assert_eq!(
        ask(&fixture, When::Now).await,
        json!([
            "api/v1.2.3",
            "api/v1.2.2",
            [["api/v1.2.1", "never_deployed"]],
            "d3"
        ])
    );
    for name in ["api/v1.2.0-stable", "api/v1.2.2-deprecated"] {
        event(
            &mut fixture,
            "release.git_tag.created",
            name,
            &time(),
            mark(name),
        )
        .await;
    }
    fixture.fold().await;
    assert_eq!(
        ask(&fixture, When::Now).await,
        json!([
            "api/v1.2.3",
            "api/v1.2.0",
            [
                ["api/v1.2.2", "deprecated"],
                ["api/v1.2.1", "never_deployed"]
            ],
            "d3"
        ])
    );
    // Somebody went back, which the environment's tag tells.
    let tag = json!({ "tag_name": "api/production", "tag_type": "environment", "commit_sha": sha(2), "environment": "production",
                      "created_at": "2026-07-01T00:00:00Z" });
    event(
        &mut fixture,
        "release.git_tag.created",
        "api/production",
        &time(),
        tag,
    )
    .await;
    fixture.fold().await;
    assert_eq!(
        ask(&fixture, When::Now).await,
        json!([
            "api/v1.2.2",
            "api/v1.2.0",
            [
                ["api/v1.2.3", "not_lower"],
                ["api/v1.2.1", "never_deployed"]
            ],
            "api/production"
        ])
    );
    assert_eq!(
        ask(&fixture, When::At(before)).await[1],
        json!("api/v1.2.2"),
        "as it was known then"
    );
    let criteria = Criteria::default();
    let none = query::rollback(&fixture.db, &main(), "", "production", criteria, When::Now).await;
    assert_eq!(none.expect("an answer"), None);
}

/// What is not asked for does not count against the limit.
#[tokio::test]
async fn an_attribute_is_looked_for_before_the_limit_counts() {
    let mut fixture = Fixture::new().await;
    for name in ["e0", "e1"] {
        let namespace = json!({ "namespace": name });
        fixture.environment(name, "created", namespace).await;
    }
    fixture.fold().await;
    let asked = States {
        attribute: Some(("namespace", "e1")),
        limit: Some(1),
        ..States::default()
    };
    let found = query::states(&fixture.db, &main(), &asked, When::Now)
        .await
        .expect("an answer");
    let ids: Vec<&str> = found.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!((ids, found.more), (vec!["e1"], false));
}

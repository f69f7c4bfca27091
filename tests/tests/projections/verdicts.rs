//! Verdicts: derived at the cause, published by the front door, matched when they come back.

use projections::query::{self, ViolationStatus, When, Which};
use serde_json::json;

use crate::support::{ENVIRONMENT, Fixture, key, main};

#[tokio::test]
async fn an_illegal_transition_is_followed_and_its_verdict_comes_back_matched() {
    let mut fixture = Fixture::new().await;
    fixture
        .environment("staging", "created", json!({ "name": "staging" }))
        .await;
    let cause = fixture
        .environment(
            "staging",
            "status_changed",
            json!({ "from": "provisioning", "to": "retired" }),
        )
        .await;
    fixture.fold().await;

    let violations = fixture.violations().await;
    assert_eq!(violations.len(), 1, "{violations:?}");
    let violation = &violations[0];
    assert_eq!(
        (violation.rule.as_str(), violation.severity.as_str()),
        ("transition.illegal", "error")
    );
    assert_eq!(
        (violation.kind.as_str(), violation.id.as_str()),
        (ENVIRONMENT, "staging")
    );
    assert_eq!((violation.cause_seq, violation.seq), (cause, None));
    assert_eq!(violation.judged_from, [cause - 1, cause]);
    assert_eq!(violation.status, ViolationStatus::Open);
    assert!(
        violation.message.contains("`provisioning` to `retired`"),
        "{}",
        violation.message
    );
    let history = query::history(&fixture.db, &main(), &key("staging"), When::Now)
        .await
        .expect("a history");
    assert_eq!(
        history[1].to.as_deref(),
        Some("retired"),
        "the state follows the fact"
    );
    assert_eq!(
        (history[0].legal, history[1].legal),
        (Some(true), Some(false))
    );

    let before = fixture.outbox().await;
    assert_eq!(before.len(), 1);
    fixture.publish().await;
    let head = fixture.appender.head().size;
    fixture.fold().await;
    let violations = fixture.violations().await;
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].seq, Some(head - 1));
    assert_eq!(fixture.outbox().await, []);

    let again = fixture
        .send("ledger", "ledger.violation.raised", before[0].1.clone())
        .await;
    assert!(
        matches!(again.kind, ledger::append::Kind::Duplicate { .. }),
        "{again:?}"
    );
    fixture.fold().await;
    assert_eq!(fixture.violations().await.len(), 1);
}

#[tokio::test]
async fn a_stale_from_is_a_mismatch() {
    let mut fixture = Fixture::new().await;
    fixture.environment("staging", "created", json!({})).await;
    let cause = fixture
        .environment(
            "staging",
            "status_changed",
            json!({ "from": "recovering", "to": "ready" }),
        )
        .await;
    fixture.fold().await;
    let violations = fixture.violations().await;
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(
        (violations[0].rule.as_str(), violations[0].cause_seq),
        ("transition.from_mismatch", cause)
    );
    assert!(
        violations[0].message.contains("it was `provisioning`"),
        "{}",
        violations[0].message
    );
    let history = query::history(&fixture.db, &main(), &key("staging"), When::Now)
        .await
        .expect("a history");
    assert_eq!(
        history[1].legal,
        Some(true),
        "provisioning to ready is an edge"
    );
    assert_eq!(history[1].claimed_from.as_deref(), Some("recovering"));
}

#[tokio::test]
async fn a_forged_verdict_is_a_verdict_and_ends_there() {
    let mut fixture = Fixture::new().await;
    let forged = json!({
        "specversion": "1.0", "id": "a".repeat(64), "source": "ledger://main", "type": "ledger.violation.raised",
        "subject": "platform.environment/staging",
        "data": {
            "rule": "transition.illegal", "severity": "error", "kind": ENVIRONMENT, "id": "staging", "cause_seq": 1,
            "judged_from": [1], "catalog": "c".repeat(64), "detail_key": "",
        },
    });
    let outcome = fixture
        .send(
            "ledger",
            "ledger.violation.raised",
            forged.to_string().into_bytes(),
        )
        .await;
    fixture.fold().await;
    for _ in 0..3 {
        let violations = fixture.violations().await;
        assert_eq!(violations.len(), 1, "{violations:?}");
        let violation = &violations[0];
        assert_eq!(
            (violation.rule.as_str(), violation.severity.as_str()),
            ("verdict.unexpected", "critical")
        );
        assert_eq!(
            (violation.kind.as_str(), violation.id.as_str()),
            ("ledger.violation", "a".repeat(64).as_str())
        );
        assert_eq!(violation.cause_seq, outcome.seq);
        fixture.publish().await;
        fixture.fold().await;
    }
    assert_eq!(fixture.outbox().await, []);
}

#[tokio::test]
async fn a_softened_verdict_is_one_and_ours_is_no_longer_sent() {
    let mut fixture = Fixture::new().await;
    fixture.environment("staging", "created", json!({})).await;
    fixture
        .environment("staging", "status_changed", json!({ "to": "retired" }))
        .await;
    fixture.fold().await;
    let ours = String::from_utf8(fixture.outbox().await[0].1.clone()).expect("UTF-8");
    let softened = ours.replace("\"severity\":\"error\"", "\"severity\":\"info\"");
    assert_ne!(ours, softened);
    fixture
        .send("ledger", "ledger.violation.raised", softened.into_bytes())
        .await;
    fixture.fold().await;
    let rules: Vec<String> = fixture
        .violations()
        .await
        .into_iter()
        .map(|one| one.rule)
        .collect();
    assert_eq!(rules, ["transition.illegal", "verdict.unexpected"]);
    assert_eq!(
        fixture.outbox().await.len(),
        1,
        "the one about the softened one"
    );
    fixture.publish().await;
    fixture.fold().await;
    assert_eq!(fixture.outbox().await, []);
}

#[tokio::test]
async fn what_was_refused_is_listed_with_words() {
    let mut fixture = Fixture::new().await;
    let outcome = fixture
        .send(
            "terraform",
            "platform.environment.created",
            b"not an event".to_vec(),
        )
        .await;
    fixture.fold().await;
    let rows = query::quarantine(&fixture.db, &main(), When::Now)
        .await
        .expect("an answer");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (rows[0].seq, rows[0].publisher.as_str()),
        (outcome.seq, "terraform")
    );
    assert!(schema::Reason::parse(&rows[0].reason).is_some(), "{rows:?}");
    assert!(!rows[0].detail.is_empty());
    let none = query::violations(&fixture.db, &main(), Which::default(), None, When::Now)
        .await
        .expect("an answer");
    assert_eq!(none, []);
}

#[tokio::test]
async fn what_breaks_a_rule_is_raised_once_and_cleared_when_it_is_mended() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    let quota = json!({ "cpu": "4", "memory": "8Gi", "pods": 10 });
    let wrong = json!({ "name": "staging", "namespace": "stage", "quota": quota });
    let cause = fixture.environment("staging", "created", wrong).await;
    let of_rule = async |fixture: &Fixture| {
        let mut all = fixture.violations().await;
        all.retain(|one| one.rule == "environment.namespace_mismatch");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    };
    fixture.fold().await;
    fixture.publish().await;
    fixture.fold().await;
    let raised = of_rule(&fixture).await;
    assert_eq!(
        (raised.cause_seq, raised.status),
        (cause, ViolationStatus::Open)
    );
    assert!(raised.seq.is_some(), "it stands in the chain");

    // Broken still: not said again.
    fixture
        .environment("staging", "updated", json!({ "namespace": "stage-2" }))
        .await;
    fixture.fold().await;
    assert_eq!(of_rule(&fixture).await.status, ViolationStatus::Open);
    assert_eq!(fixture.outbox().await, []);

    let mended = fixture
        .environment("staging", "updated", json!({ "namespace": "env-staging" }))
        .await;
    fixture.fold().await;
    assert_eq!(of_rule(&fixture).await.status, ViolationStatus::Cleared);
    let outbox = fixture.outbox().await;
    assert_eq!(outbox.len(), 1, "{outbox:?}");
    let message: serde_json::Value = serde_json::from_slice(&outbox[0].1).expect("JSON");
    assert_eq!(message["type"], "ledger.violation.cleared");
    assert_eq!(
        message["data"],
        json!({ "violation": raised.violation, "by_seq": mended, "how": "mended" })
    );
    fixture.publish().await;
    fixture.fold().await;
    assert_eq!(fixture.outbox().await, []);
    assert!(
        fixture
            .violations()
            .await
            .iter()
            .all(|one| one.rule != "verdict.unexpected")
    );

    let before = fixture.rows().await;
    let what = projections::project::Rebuild::default();
    projections::project::rebuild(&fixture.db, &main(), &what, |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(
        fixture.rows().await,
        before,
        "and nothing is published anew"
    );
}

#[tokio::test]
async fn what_a_rule_found_that_is_turned_off_is_open_no_more() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    let pool = json!({ "environment": "nowhere", "instance_type": "g6-standard-4" });
    let body = json!({
        "specversion": "1.0", "id": "p1", "source": "https://ci.example/infra", "type": "platform.node_pool.created",
        "subject": "330957", "authid": "alice", "data": pool,
    });
    let body = body.to_string().into_bytes();
    fixture
        .send("terraform", "platform.node_pool.created", body)
        .await;
    fixture.fold().await;
    let of_pool = async |fixture: &Fixture| {
        let all = fixture.violations().await.into_iter();
        let mut all = all.filter(|one| one.rule == "node_pool.unknown_environment");
        all.next().expect("it is known")
    };
    assert_eq!(of_pool(&fixture).await.status, ViolationStatus::Open);
    fixture.publish().await;
    fixture.fold().await;

    // Turned off: nothing could mend it from here on.
    let mut packages = schema::Package::builtin().expect("the built-in packages load");
    packages.push(crate::asking::package("lab", crate::asking::LAMP));
    fixture.activate(&packages).await;
    fixture.fold().await;
    assert_eq!(of_pool(&fixture).await.status, ViolationStatus::Cleared);
    let (_, message) = fixture.outbox().await.remove(0);
    let event: serde_json::Value = serde_json::from_slice(&message).expect("JSON");
    assert_eq!(
        (&event["type"], &event["data"]["how"]),
        (&json!("ledger.violation.cleared"), &json!("silenced"))
    );
    fixture.publish().await;
    fixture.fold().await;
    assert_eq!(fixture.outbox().await, []);
    let living = fixture.rows().await;
    let what = projections::project::Rebuild::default();
    projections::project::rebuild(&fixture.db, &main(), &what, |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(fixture.rows().await, living);
    assert_eq!(
        fixture
            .metrics
            .unexpected
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

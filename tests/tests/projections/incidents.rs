//! Incidents on a real PostgreSQL: opened once, told once, decided by people and by rules, and the same in a rebuild.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use projections::project::{Rebuild, rebuild};
use projections::query::{self, IncidentRow, Incidents, When};
use serde_json::{Value, json};

use crate::support::{ENVIRONMENT, Fixture, main};

async fn incidents(fixture: &Fixture, when: When) -> Vec<IncidentRow> {
    let asked = Incidents {
        class: Some("environment_degraded"),
        ..Incidents::default()
    };
    let found = query::incidents(&fixture.db, &main(), &asked, when).await;
    found.expect("an answer").rows
}

async fn moves(fixture: &mut Fixture, from: &str, to: &str) -> u64 {
    let mut data = json!({ "from": from, "to": to });
    if from == "recovering" {
        data["validation_ref"] = json!("https://ci.example/validation/7");
    }
    fixture
        .environment("production", "status_changed", data)
        .await
}

/// What somebody decides about an incident; gives the position.
async fn decide(fixture: &mut Fixture, verb: &str, incident: &str) -> u64 {
    let number = fixture.appender.head().stream_seq;
    let body = json!({
        "specversion": "1.0", "id": format!("d{number}"), "source": "https://oncall.example",
        "type": format!("ledger.incident.{verb}"), "subject": incident, "authid": "ben@example.org",
        "data": { "incident": incident },
    });
    let event_type = format!("ledger.incident.{verb}");
    let outcome = fixture
        .send("oncall", &event_type, body.to_string().into_bytes())
        .await;
    assert_eq!(outcome.kind, ledger::append::Kind::Recorded);
    outcome.seq
}

/// The types of the incidents' events in the outbox, in order.
async fn told(fixture: &Fixture) -> Vec<(String, Value)> {
    let all = fixture.outbox().await.into_iter();
    let ours = all.filter_map(|(subject, body)| {
        let verb = subject.strip_prefix("ledger.main.ingest.ledger.ledger.incident.")?;
        let event: Value = serde_json::from_slice(&body).expect("JSON");
        let about = event["data"]["class"].as_str();
        let ours = about.is_none_or(|class| class == "environment_degraded");
        ours.then(|| (verb.to_owned(), event))
    });
    ours.collect()
}

async fn settle(fixture: &mut Fixture) {
    fixture.fold().await;
    fixture.publish().await;
    fixture.fold().await;
    assert_eq!(fixture.outbox().await, []);
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a life from its beginning to its end, step by step"
)]
async fn an_incident_lives_from_its_first_cause_until_a_rule_or_somebody_ends_it() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    fixture
        .environment("production", "created", json!({ "name": "production" }))
        .await;
    moves(&mut fixture, "provisioning", "ready").await;
    settle(&mut fixture).await;
    assert_eq!(incidents(&fixture, When::Now).await, []);

    let cause = moves(&mut fixture, "ready", "degraded").await;
    fixture.fold().await;
    let opened = incidents(&fixture, When::Now).await;
    let [first] = opened.as_slice() else {
        unreachable!("{opened:?}");
    };
    assert_eq!(
        (first.kind.as_str(), first.id.as_str()),
        (ENVIRONMENT, "production")
    );
    assert_eq!(
        (first.severity.as_str(), first.status.as_str()),
        ("critical", "open")
    );
    assert_eq!(
        (first.causes.as_slice(), first.seq),
        ([cause].as_slice(), None)
    );
    let messages = told(&fixture).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0].0, "opened");
    assert_eq!(messages[0].1["data"]["causes"], json!([cause]));
    assert_eq!(messages[0].1["data"]["reopens"], Value::Null);
    settle(&mut fixture).await;
    let opened_at = fixture.appender.head().size - 1;
    assert!(incidents(&fixture, When::Now).await[0].seq.is_some());

    let acknowledged = decide(&mut fixture, "acknowledged", &first.incident).await;
    fixture.fold().await;
    let now = incidents(&fixture, When::Now).await;
    assert_eq!(
        (now[0].status.as_str(), now[0].acknowledged_seq),
        ("acknowledged", Some(acknowledged))
    );
    assert_eq!(now[0].acknowledged_by.as_deref(), Some("ben@example.org"));
    assert_eq!(
        incidents(&fixture, When::At(opened_at)).await[0].status,
        "open"
    );

    moves(&mut fixture, "degraded", "recovering").await;
    let mended = moves(&mut fixture, "recovering", "ready").await;
    fixture.fold().await;
    let now = incidents(&fixture, When::Now).await;
    assert_eq!(
        (now[0].status.as_str(), now[0].resolved_seq),
        ("resolved", Some(mended))
    );
    assert_eq!(now[0].resolved_by, None, "a rule did");
    let messages = told(&fixture).await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    let data = json!({ "incident": first.incident, "how": "mended", "by_seq": mended });
    assert_eq!(
        (messages[0].0.as_str(), &messages[0].1["data"]),
        ("resolved", &data)
    );
    settle(&mut fixture).await;

    // It comes back: another one, which points to the first.
    let again = moves(&mut fixture, "ready", "degraded").await;
    fixture.fold().await;
    let now = incidents(&fixture, When::Now).await;
    assert_eq!(now.len(), 2);
    assert_eq!(now[1].reopens.as_deref(), Some(first.incident.as_str()));
    assert_eq!(now[1].causes, [again]);
    let (_, event) = told(&fixture).await.remove(0);
    assert_eq!(event["causationid"], json!(first.incident));
    settle(&mut fixture).await;

    let ended = decide(&mut fixture, "resolved", &now[1].incident).await;
    settle(&mut fixture).await;
    let now = incidents(&fixture, When::Now).await;
    assert_eq!(
        (now[1].status.as_str(), now[1].resolved_seq),
        ("resolved", Some(ended))
    );
    assert_eq!(now[1].resolved_by.as_deref(), Some("ben@example.org"));
    // Its lifecycle was kept by everybody, and nothing came back that was not expected.
    let wrong = fixture.violations().await;
    let wrong: Vec<_> = wrong
        .iter()
        .filter(|one| one.kind == "ledger.incident")
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert_eq!(
        fixture
            .metrics
            .unexpected
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );

    // Whoever ends it twice is told so by its lifecycle.
    let twice = decide(&mut fixture, "resolved", &now[1].incident).await;
    settle(&mut fixture).await;
    let wrong = fixture.violations().await;
    let wrong: Vec<_> = wrong
        .iter()
        .filter(|one| one.kind == "ledger.incident")
        .collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(
        (wrong[0].rule.as_str(), wrong[0].cause_seq),
        ("transition.illegal", twice)
    );
    assert_eq!(incidents(&fixture, When::Now).await, now);

    let living = fixture.rows().await;
    rebuild(&fixture.db, &main(), &Rebuild::default(), |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(fixture.rows().await, living);
    assert_eq!(fixture.outbox().await, [], "a rebuild tells nobody");
}

#[tokio::test]
async fn a_rebuild_on_the_way_tells_what_was_on_its_way_and_nothing_else() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    fixture
        .environment("production", "created", json!({ "name": "production" }))
        .await;
    moves(&mut fixture, "provisioning", "ready").await;
    settle(&mut fixture).await;
    moves(&mut fixture, "ready", "degraded").await;
    fixture.fold().await;
    let waiting = fixture.outbox().await;
    assert_eq!(told(&fixture).await.len(), 1);
    let living = fixture.rows().await;
    rebuild(&fixture.db, &main(), &Rebuild::default(), |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(fixture.outbox().await, waiting);
    assert_eq!(fixture.rows().await, living);
    settle(&mut fixture).await;
    assert_eq!(incidents(&fixture, When::Now).await.len(), 1);
}

/// The rule that opened it is turned off: nothing could resolve it, so the activation does, and says so.
#[tokio::test]
async fn an_incident_of_a_class_that_nothing_opens_any_more_ends_with_the_activation() {
    const CLASS: &str = "environment_retired_without_backup";
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    fixture.environment("old", "created", json!({})).await;
    let retired = json!({ "to": "retired" });
    fixture.environment("old", "status_changed", retired).await;
    // Of the other class an incident stays: the kind itself opens it.
    let name = json!({ "name": "production" });
    fixture.environment("production", "created", name).await;
    moves(&mut fixture, "provisioning", "ready").await;
    moves(&mut fixture, "ready", "degraded").await;
    settle(&mut fixture).await;
    let of_class = async |fixture: &Fixture| {
        let asked = Incidents {
            class: Some(CLASS),
            ..Incidents::default()
        };
        let found = query::incidents(&fixture.db, &main(), &asked, When::Now).await;
        found.expect("an answer").rows.remove(0)
    };
    let open = of_class(&fixture).await;
    assert_eq!(open.status, "open");

    let mut packages = schema::Package::builtin().expect("the built-in packages load");
    packages.push(crate::asking::package("lab", crate::asking::LAMP));
    fixture.activate(&packages).await;
    fixture.fold().await;
    let ended = of_class(&fixture).await;
    let activation = fixture.appender.head().size - 1;
    assert_eq!(
        (
            ended.status.as_str(),
            ended.resolved_seq,
            ended.resolved_by.as_deref()
        ),
        ("resolved", Some(activation), None)
    );
    assert_eq!(incidents(&fixture, When::Now).await[0].status, "open");
    let told = fixture.outbox().await.into_iter().find_map(|(_, body)| {
        let event: Value = serde_json::from_slice(&body).expect("JSON");
        let ours = event["subject"] == open.incident.as_str();
        ours.then_some(event)
    });
    assert_eq!(
        told.expect("it is told")["data"],
        json!({ "incident": open.incident, "how": "let_go", "by_seq": activation })
    );
    settle(&mut fixture).await;
    let living = fixture.rows().await;
    rebuild(&fixture.db, &main(), &Rebuild::default(), |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(fixture.rows().await, living);
    let unexpected = &fixture.metrics.unexpected;
    assert_eq!(unexpected.load(std::sync::atomic::Ordering::Relaxed), 0);
}

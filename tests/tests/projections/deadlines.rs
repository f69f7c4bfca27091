//! Deadlines: set by an event, found due by the next one that is recorded after them, whatever it is.

use projections::project::{Rebuild, rebuild};
use projections::query::{ViolationRow, ViolationStatus};
use serde_json::{Value, json};

use crate::asking::event;
use crate::rejudged::judged;
use crate::support::{Fixture, main};

const RUN: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const STUCK: &str = "run.stuck_pending";
const HOUR_US: i64 = 3_600_000_000;

/// An event about a provisioning run; gives its position.
async fn run(fixture: &mut Fixture, verb: &str, data: Value) -> u64 {
    let number = fixture.appender.head().stream_seq;
    let event_type = format!("cluster.provisioning_run.{verb}");
    let body = json!({
        "specversion": "1.0", "id": format!("r{number}"), "source": "https://ci.example/infra",
        "type": event_type, "subject": RUN, "authid": "alice", "data": data,
    });
    let outcome = fixture
        .send("ansible", &event_type, body.to_string().into_bytes())
        .await;
    assert_eq!(outcome.kind, ledger::append::Kind::Recorded, "{body}");
    outcome.seq
}

async fn started(fixture: &mut Fixture) -> u64 {
    let data = json!({ "trigger_type": "bootstrap", "nodes": [{ "node_id": "pi-1", "role": "worker" }],
                       "initiated_by": "alice", "ansible_commit": "0123abc" });
    run(fixture, "started", data).await
}

/// A message that nobody understands: an event about no entity.
async fn something_else(fixture: &mut Fixture) -> u64 {
    let number = fixture.appender.head().stream_seq;
    let body = format!("not an event: {number}").into_bytes();
    fixture
        .send("terraform", "platform.environment.created", body)
        .await
        .seq
}

async fn of_rule(fixture: &Fixture, rule: &str) -> Vec<ViolationRow> {
    let mut all = fixture.violations().await;
    all.retain(|one| one.rule == rule);
    all
}

async fn rebuilt_the_same(fixture: &Fixture) {
    let before = fixture.rows().await;
    rebuild(&fixture.db, &main(), &Rebuild::default(), |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(fixture.rows().await, before);
    let (problems, _) = judged(fixture, 7).await;
    assert_eq!(problems, [], "and who judges the chain anew agrees");
}

#[tokio::test]
async fn what_did_not_happen_is_found_by_whatever_comes_next_and_mended_when_it_happens() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    let armed = started(&mut fixture).await;
    something_else(&mut fixture).await;
    fixture.fold().await;
    assert_eq!(
        of_rule(&fixture, STUCK).await,
        [],
        "four hours have not passed"
    );

    fixture.paused_us += 5 * HOUR_US;
    let cause = something_else(&mut fixture).await;
    something_else(&mut fixture).await;
    fixture.fold().await;
    let found = of_rule(&fixture, STUCK).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].cause_seq, found[0].id.as_str()), (cause, RUN));
    assert_eq!(found[0].judged_from, [armed, cause]);
    assert_eq!(found[0].status, ViolationStatus::Open);
    fixture.publish().await;
    fixture.fold().await;
    assert!(of_rule(&fixture, STUCK).await[0].seq.is_some());
    rebuilt_the_same(&fixture).await;

    let mended = run(&mut fixture, "succeeded", json!({})).await;
    fixture.fold().await;
    let found = of_rule(&fixture, STUCK).await;
    assert_eq!(found[0].status, ViolationStatus::Cleared);
    fixture.publish().await;
    fixture.fold().await;
    assert_eq!(of_rule(&fixture, "verdict.unexpected").await, []);
    let client = fixture.superuser().await;
    let sql = "SELECT cleared_seq FROM views.violation WHERE rule = $1";
    let row = client.query_one(sql, &[&STUCK]).await.expect("a row");
    assert_eq!(u64::try_from(row.get::<_, i64>(0)), Ok(mended));
    rebuilt_the_same(&fixture).await;
}

#[tokio::test]
async fn a_rule_that_the_catalog_no_longer_has_finds_nothing_due() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    started(&mut fixture).await;
    settle(&mut fixture).await;
    let settings = json!({ "operators": ["oncall"], "rules": { "off": [STUCK] } });
    fixture.judge_with(settings).await;
    fixture.paused_us += 5 * HOUR_US;
    something_else(&mut fixture).await;
    fixture.fold().await;
    assert_eq!(of_rule(&fixture, STUCK).await, []);
    assert_eq!(of_rule(&fixture, "rule.not_judged").await, []);
    rebuilt_the_same(&fixture).await;
}

#[tokio::test]
async fn what_was_deleted_sets_no_deadline_but_finds_others_due() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    let deleted = started(&mut fixture).await;
    let environment =
        json!({ "environment": "staging", "role": "break-glass", "permissions": ["get"] });
    let time = "2026-08-03T00:00:00Z";
    let granted = "platform.access_policy.granted";
    event(
        &mut fixture,
        granted,
        "staging/break-glass",
        time,
        environment,
    )
    .await;
    fixture.paused_us += 5 * HOUR_US;
    let finds = fixture.environment("staging", "updated", json!({})).await;
    let client = fixture.superuser().await;
    for seq in [deleted, finds] {
        let seq = i64::try_from(seq).expect("small");
        let gone = client
            .execute("DELETE FROM ledger.body WHERE seq = $1", &[&seq])
            .await;
        assert_eq!(gone.expect("a superuser may"), 1);
    }
    fixture.fold().await;
    assert_eq!(of_rule(&fixture, STUCK).await, []);
    let found = of_rule(&fixture, "break_glass.no_ticket").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].cause_seq, finds);
}

/// After a long pause very much may be due at once: it is judged in many batches, each bounded, and they come to the
/// same.
#[tokio::test]
async fn very_much_that_is_due_at_once_is_judged_in_pages() {
    const MANY: i64 = 5000;
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    let armed = started(&mut fixture).await;
    fixture.fold().await;
    let client = fixture.superuser().await;
    for sql in [
        "INSERT INTO views.entity SELECT (r).* FROM (SELECT json_populate_record(e, json_build_object('id', n::text)) AS r
           FROM views.entity e, generate_series(1, $1::bigint) n WHERE e.kind = 'cluster.provisioning_run') x",
        "INSERT INTO views.deadline SELECT (r).* FROM (SELECT json_populate_record(d, json_build_object('id', n::text)) AS r
           FROM views.deadline d, generate_series(1, $1::bigint) n WHERE d.kind = 'cluster.provisioning_run') x",
    ] {
        client.execute(sql, &[&MANY]).await.expect("many runs");
    }
    fixture.paused_us += 5 * HOUR_US;
    let cause = something_else(&mut fixture).await;
    let mut projector = fixture.projector().await;
    let mut batches = 0;
    while projector.step().await.expect("folded") > 0 {
        batches += 1;
    }
    assert!(batches > 1, "{batches}");
    let sql = "SELECT count(*), min(cause_seq), max(cause_seq), min(judged_from[1]) FROM views.violation WHERE rule = $1";
    let row = client.query_one(sql, &[&STUCK]).await.expect("a row");
    let [many, first, last, from] = [0, 1, 2, 3].map(|place| row.get::<_, i64>(place));
    let cause = i64::try_from(cause).expect("small");
    assert_eq!((many, first, last), (MANY + 1, cause, cause));
    assert_eq!(u64::try_from(from), Ok(armed));
    let sql = "SELECT count(*) FROM views.deadline WHERE NOT fired AND rule = $1";
    let row = client.query_one(sql, &[&STUCK]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 0);
}

const ROTATION: &str = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
const TIME: &str = "2026-08-03T00:00:00Z";

async fn rotation(fixture: &mut Fixture, verb: &str, data: Value) -> u64 {
    let event_type = format!("cluster.secret_rotation.{verb}");
    event(fixture, &event_type, ROTATION, TIME, data).await
}

/// The events of this type in the chain: their data.
async fn of_type(fixture: &Fixture, event_type: &str) -> Vec<Value> {
    let sql = "SELECT convert_from(b.data, 'UTF8') FROM ledger.event e JOIN ledger.body b USING (ledger, seq)
                WHERE e.event_type = $1 ORDER BY e.seq";
    let client = fixture.superuser().await;
    let rows = client.query(sql, &[&event_type]).await.expect("rows");
    let data = rows.iter().map(|row| row.get::<_, String>(0));
    data.map(|one| serde_json::from_str(&one).expect("JSON"))
        .collect()
}

async fn settle(fixture: &mut Fixture) {
    fixture.fold().await;
    fixture.publish().await;
    fixture.fold().await;
}

/// A rotation is begun and nobody verifies it.
async fn unverified(fixture: &mut Fixture) -> u64 {
    rotation(fixture, "started", json!({})).await;
    fixture.paused_us += 25 * HOUR_US;
    let cause = something_else(fixture).await;
    settle(fixture).await;
    cause
}

#[tokio::test]
async fn what_was_missed_opens_one_task_and_publishes_what_the_rule_says() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    rotation(
        &mut fixture,
        "scheduled",
        json!({ "rotation_scope": "registry" }),
    )
    .await;
    let cause = unverified(&mut fixture).await;
    let found = of_rule(&fixture, "rotation.unverified").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].cause_seq, cause);
    let reverted = of_type(&fixture, "cluster.secret_rotation.reverted").await;
    assert_eq!(reverted, [json!({ "reason": "unverified" })]);
    let client = fixture.superuser().await;
    let sql = "SELECT status FROM views.live_entity WHERE kind = 'cluster.secret_rotation'";
    let status = client.query_one(sql, &[]).await.expect("a row");
    assert_eq!(
        status.get::<_, String>(0),
        "scheduled",
        "what is published is a fact"
    );
    let tasks = of_type(&fixture, "ledger.task.opened").await;
    assert_eq!(tasks.len(), 1, "{tasks:?}");
    assert_eq!(
        (&tasks[0]["class"], &tasks[0]["id"]),
        (&json!("rotation_verification"), &json!(ROTATION))
    );
    assert_eq!(tasks[0]["cause_seq"], cause);

    // Again: the task is open still, and now an incident says that it happens again and again.
    unverified(&mut fixture).await;
    assert_eq!(of_type(&fixture, "ledger.task.opened").await.len(), 1);
    let opened = of_type(&fixture, "ledger.incident.opened").await;
    let classes: Vec<&Value> = opened.iter().map(|one| &one["class"]).collect();
    assert!(
        classes.contains(&&json!("rotation_unverified")),
        "{classes:?}"
    );

    // Somebody closes it; the next time there is another one.
    let task = tasks[0]["task"].as_str().expect("a name");
    let body = json!({
        "specversion": "1.0", "id": "close-1", "source": "https://oncall.example", "type": "ledger.task.closed",
        "subject": task, "authid": "cleo", "data": { "task": task, "how": "By hand." },
    });
    fixture
        .send(
            "oncall",
            "ledger.task.closed",
            body.to_string().into_bytes(),
        )
        .await;
    unverified(&mut fixture).await;
    let tasks = of_type(&fixture, "ledger.task.opened").await;
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    assert_eq!(of_rule(&fixture, "verdict.unexpected").await, []);
    rebuilt_the_same(&fixture).await;
}

/// An event with a number; gives its position.
async fn numbered(fixture: &mut Fixture, number: u64) -> u64 {
    let body = json!({
        "specversion": "1.0", "id": format!("n{number}"), "source": "/pipelines", "sequence": number.to_string(),
        "type": "platform.environment.updated", "subject": "staging", "authid": "alice", "data": {},
    });
    let body = body.to_string().into_bytes();
    fixture
        .send("ci", "platform.environment.updated", body)
        .await
        .seq
}

#[tokio::test]
async fn a_number_that_is_missing_is_named_until_it_arrives() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    numbered(&mut fixture, 7).await;
    let cause = numbered(&mut fixture, 10).await;
    settle(&mut fixture).await;
    let found = of_rule(&fixture, "publisher.gap").await;
    let missing: Vec<&str> = found.iter().map(|one| &*one.detail_key).collect();
    assert_eq!(missing.len(), 2, "{found:?}");
    for key in ["ci /pipelines#8", "ci /pipelines#9"] {
        assert!(missing.contains(&key), "{missing:?}");
    }
    assert!(
        found
            .iter()
            .all(|one| one.cause_seq == cause && one.id == "ci"),
        "{found:?}"
    );
    assert!(
        found[0].message.contains("did not come"),
        "{}",
        found[0].message
    );
    numbered(&mut fixture, 8).await;
    settle(&mut fixture).await;
    let found = of_rule(&fixture, "publisher.gap").await;
    let open: Vec<&str> = (found.iter())
        .filter(|one| one.status == ViolationStatus::Open)
        .map(|one| &*one.detail_key)
        .collect();
    assert_eq!(open, ["ci /pipelines#9"]);
    assert_eq!(of_rule(&fixture, "verdict.unexpected").await, []);
    rebuilt_the_same(&fixture).await;
}

#[tokio::test]
async fn a_publisher_that_falls_silent_is_named_until_it_is_heard_again() {
    let mut fixture = Fixture::new().await;
    let settings = json!({ "operators": ["oncall"], "publisher": { "silent_after": "24h" } });
    fixture.judge_with(settings).await;
    fixture.environment("staging", "updated", json!({})).await;
    fixture.paused_us += 25 * HOUR_US;
    numbered(&mut fixture, 1).await;
    settle(&mut fixture).await;
    let found = of_rule(&fixture, "publisher.silent").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].id.as_str(), found[0].status),
        ("terraform", ViolationStatus::Open)
    );
    fixture.environment("staging", "updated", json!({})).await;
    settle(&mut fixture).await;
    let found = of_rule(&fixture, "publisher.silent").await;
    assert_eq!(
        (found.len(), found[0].status),
        (1, ViolationStatus::Cleared)
    );
    assert_eq!(of_rule(&fixture, "verdict.unexpected").await, []);
    rebuilt_the_same(&fixture).await;
}

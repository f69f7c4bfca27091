//! Judging a whole chain anew: what was added, dropped or softened is named, and nothing else.

use ledger::read::Reader;
use ledger::report::{Report, What};
use projections::fact::Fact;
use projections::rejudge::{Counts, ON_ITS_WAY_US, Rejudge};
use serde_json::json;

use crate::support::{ENVIRONMENT, Fixture, main};

/// Judges the chain in pages of so many positions.
pub async fn judged(fixture: &Fixture, page: u64) -> (Vec<(u64, String)>, Counts) {
    let reader = Reader::open(&fixture.db, &main()).await.expect("a ledger");
    let (mut judge, mut report) = (Rejudge::new(&main()), Report::new());
    loop {
        let records = reader.records(judge.next(), page).await.expect("records");
        if records.is_empty() {
            break;
        }
        let facts: Result<Vec<Fact>, _> = Fact::read_all(records);
        judge
            .take(&facts.expect("facts"), &mut report)
            .expect("judged");
    }
    let counts = judge.finish(&mut report);
    let problem = |one: ledger::report::Problem| {
        assert_eq!(one.what, What::Verdict);
        (one.seq.expect("a position"), one.detail)
    };
    (report.problems.into_iter().map(problem).collect(), counts)
}

/// An environment that goes where none may go; gives the position.
async fn breaks(fixture: &mut Fixture, id: &str) -> u64 {
    fixture.environment(id, "created", json!({})).await;
    let to = json!({ "to": "retired" });
    fixture.environment(id, "status_changed", to).await
}

#[tokio::test]
async fn an_honest_chain_holds_however_it_is_read() {
    let mut fixture = Fixture::new().await;
    fixture.judge_all().await;
    for number in 0..5 {
        breaks(&mut fixture, &format!("env-{number}")).await;
        fixture.fold().await;
        fixture.publish().await;
    }
    fixture.fold().await;
    fixture.publish().await;
    // Trouble that comes, ends and comes again: an incident and one that reopens it.
    for to in ["ready", "degraded", "recovering", "ready", "degraded"] {
        fixture
            .environment("production", "status_changed", json!({ "to": to }))
            .await;
        fixture.fold().await;
        fixture.publish().await;
        fixture.fold().await;
    }
    fixture.publish().await;
    let client = fixture.superuser().await;
    let row = client
        .query_one("SELECT count(*) FROM views.incident", &[])
        .await
        .expect("counted");
    assert!(row.get::<_, i64>(0) >= 2, "there are incidents");
    let (problems, counts) = judged(&fixture, 4000).await;
    assert_eq!(problems, []);
    assert!(counts.verdicts >= 5, "{counts:?}");
    assert_eq!(counts.pending, 0);
    assert_eq!(judged(&fixture, 3).await, (problems, counts));
}

#[tokio::test]
async fn what_is_dropped_is_pending_at_first_and_then_named() {
    let mut fixture = Fixture::new().await;
    let cause = breaks(&mut fixture, "staging").await;
    fixture.fold().await;
    // Whoever may write to the database takes it out of what is to be published.
    let sql = "DELETE FROM views.outbox";
    fixture
        .superuser()
        .await
        .batch_execute(sql)
        .await
        .expect("deleted");
    let (problems, counts) = judged(&fixture, 4000).await;
    assert_eq!((problems, counts.pending), (vec![], 1));
    fixture.paused_us += ON_ITS_WAY_US;
    fixture.environment("other", "created", json!({})).await;
    let (problems, counts) = judged(&fixture, 4000).await;
    assert_eq!(counts.pending, 0);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let (seq, detail) = &problems[0];
    assert_eq!(*seq, cause);
    assert!(
        detail.contains("error transition.illegal of platform.environment/staging"),
        "{detail}"
    );
}

#[tokio::test]
async fn what_is_added_and_what_is_softened_is_named() {
    let mut fixture = Fixture::new().await;
    let added = json!({
        "specversion": "1.0", "id": "a".repeat(64), "source": "ledger://main", "type": "ledger.violation.raised",
        "subject": "platform.environment/staging",
        "data": {
            "rule": "transition.illegal", "severity": "error", "kind": ENVIRONMENT, "id": "staging", "cause_seq": 1,
            "judged_from": [1], "catalog": "c".repeat(64), "detail_key": "",
        },
    });
    let added = added.to_string().into_bytes();
    let added = fixture
        .send("ledger", "ledger.violation.raised", added)
        .await;
    breaks(&mut fixture, "staging").await;
    fixture.fold().await;
    let ours = fixture.outbox().await;
    let ours = ours.iter().find_map(|(_, body)| {
        let text = String::from_utf8(body.clone()).expect("UTF-8");
        text.contains("transition.illegal").then_some(text)
    });
    let softened = ours
        .expect("a verdict")
        .replace("\"severity\":\"error\"", "\"severity\":\"info\"");
    let softened = fixture
        .send("ledger", "ledger.violation.raised", softened.into_bytes())
        .await;
    fixture.fold().await;
    fixture.publish().await;
    let (problems, _) = judged(&fixture, 4000).await;
    assert_eq!(problems.len(), 2, "{problems:?}");
    let (one, two) = (&problems[0], &problems[1]);
    assert_eq!((one.0, two.0), (added.seq, softened.seq));
    assert!(one.1.contains("it was added"), "{}", one.1);
    assert!(two.1.contains("info transition.illegal"), "{}", two.1);
}

//! Data goes when its time is over or somebody asked for it, with what it said in the views.

#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::similar_names,
    reason = "a test reports by panicking, and is run once"
)]

use ledger::redaction::{Coverage, Word};
use projections::query::{When, Which};
use serde_json::{Value, json};

use crate::house::{DAY_US, House, VISITOR, ranges, settings};

#[tokio::test]
async fn what_is_over_is_announced_then_named_then_deleted() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor(
            "1",
            "came",
            json!({"name": "Ann", "room": "blue", "guide": "hall"}),
        )
        .await;
    let moved = house.visitor("1", "moved", json!({"room": "red"})).await;
    let bob = house
        .visitor("2", "came", json!({"name": "Bob", "room": "red"}))
        .await;
    house
        .ledger
        .environment("staging", "created", json!({"name": "staging"}))
        .await;
    let now = house.now_us();
    assert_eq!(
        house.next(now + 9 * DAY_US).await,
        None,
        "its time is not over"
    );
    let later = now + 10 * DAY_US;
    let scheduled = house.next(later).await.expect("it is due");
    assert_eq!(
        (scheduled.event_type, scheduled.subject.as_str()),
        ("ledger.retention.scheduled", "10d")
    );
    assert_eq!(ranges(&scheduled), json!([[ann, bob]]));
    let schedule = house.say(&scheduled).await;
    assert_eq!(house.next(later).await, None, "the day of notice");
    assert_eq!(house.delete().await, 0, "announced is not named");
    // A hold comes meanwhile.
    house.ledger.paused_us += 12 * DAY_US;
    house
        .hold("case", json!({"kind": VISITOR, "id": "2"}))
        .await;
    let applied = house.next(later + DAY_US).await.expect("the day is over");
    assert_eq!(applied.event_type, "ledger.retention.applied");
    let data: Value = serde_json::from_str(&applied.data).expect("JSON");
    assert_eq!(
        data,
        json!({"class": "10d", "ranges": [[ann, moved]], "scheduled_by": schedule})
    );
    house.ledger.fold().await;
    let by = house.say(&applied).await;
    assert_eq!(
        house.delete_now().await,
        0,
        "the views have not come so far"
    );
    // The projector knows the visitor by heart.
    let mut projector = house.ledger.projector().await;
    while projector.step().await.expect("folded") > 0 {}
    assert_eq!(house.delete_now().await, 2);
    assert_eq!(house.delete().await, 0, "once");
    assert_eq!(house.gone().await, [ann, moved]);
    house.verifies().await;

    // A summary is left, and what is sensitive is not.
    let mut projector = house.ledger.projector().await;
    while projector.step().await.expect("folded") > 0 {}
    let state = house.state("1").await;
    assert_eq!(state.attributes.get("name"), None);
    assert_eq!(state.attributes["room"], "red");
    assert_eq!(
        (state.status.as_deref(), state.redacted),
        (Some("in"), true)
    );
    house.visitor("1", "left", json!({})).await;
    while projector.step().await.expect("folded") > 0 {}
    let state = house.state("1").await;
    assert_eq!(
        state.attributes.get("name"),
        None,
        "what was in memory is forgotten"
    );
    assert_eq!(state.status.as_deref(), Some("out"));
    assert_eq!(house.state("2").await.attributes["name"], "Bob");

    // Released, the rest goes, by an event of its own.
    assert_eq!(house.next(later + 2 * DAY_US).await, None, "held");
    house.release("case").await;
    let rest = house.next(later + 2 * DAY_US).await.expect("the rest");
    assert_eq!(ranges(&rest), json!([[bob, bob]]));
    house.say(&rest).await;
    assert_eq!(house.delete().await, 1);
    house.verifies().await;
    let coverage = Coverage::read_all(&house.reader().await)
        .await
        .expect("read");
    let record = house
        .reader()
        .await
        .record(ann)
        .await
        .expect("read")
        .expect("there");
    let Word::Covered(applied) = coverage.of(&(&record.header).into()) else {
        panic!("it is covered");
    };
    assert_eq!((applied.by, applied.class.as_str()), (by, "10d"));
}

#[tokio::test]
async fn a_projector_forgets_what_was_taken_out_behind_its_back() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor(
            "1",
            "came",
            json!({"name": "Ann", "room": "blue", "guide": "hall"}),
        )
        .await;
    let mut projector = house.ledger.projector().await;
    while projector.step().await.expect("folded") > 0 {}
    house.redact(&[ann], "alice").await;
    let applied = house.next(house.now_us()).await.expect("asked for");
    house.say(&applied).await;
    while projector.step().await.expect("folded") > 0 {}
    assert_eq!(house.delete_now().await, 1);
    house.visitor("1", "moved", json!({"room": "red"})).await;
    while projector.step().await.expect("folded") > 0 {}
    let state = house.state("1").await;
    assert_eq!(
        state.attributes,
        json!({"room": "red"})
            .as_object()
            .expect("an object")
            .clone()
    );
    let client = house.ledger.superuser().await;
    let links = client
        .query_one(
            "SELECT count(*) FROM views.link WHERE kind = 'house.visitor'",
            &[],
        )
        .await;
    assert_eq!(
        links.expect("a row").get::<_, i64>(0),
        0,
        "nor is it found by what it named"
    );
    let sql = "SELECT redacted FROM views.history WHERE kind = 'house.visitor' ORDER BY seq";
    let lines = client.query(sql, &[]).await.expect("rows");
    let lines: Vec<bool> = lines.iter().map(|row| row.get(0)).collect();
    assert_eq!(lines, [true, false]);
    house.verifies().await;
}

#[tokio::test]
async fn a_rebuild_of_what_was_deleted_gives_what_is_left() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor("1", "came", json!({"name": "Ann", "room": "blue"}))
        .await;
    house.visitor("1", "moved", json!({"room": "red"})).await;
    house.redact(&[ann], "alice").await;
    let applied = house.next(house.now_us()).await.expect("asked for");
    house.say(&applied).await;
    assert_eq!(house.delete().await, 1);
    let before = house.state("1").await;
    house.rebuild().await;
    assert_eq!(house.state("1").await, before);
    let known = house
        .ledger
        .state(
            Which {
                kind: Some(VISITOR),
                id: Some("1"),
            },
            When::At(ann),
        )
        .await;
    assert!(
        known[0].redacted && known[0].attributes.is_empty(),
        "{known:?}"
    );
}

//! What a hold, the least of its kind or a missing second person keeps is not deleted.

#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::similar_names,
    reason = "a test reports by panicking, and is run once"
)]

use serde_json::{Value, json};

use crate::house::{DAY_US, House, VISITOR, ranges, settings};

/// A hold at the last moment: the ledger's own event was on its way, and nobody is told of a fault. A minute later it
/// would have known.
#[tokio::test]
async fn a_hold_that_comes_just_before_the_word_is_no_violation() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor("1", "came", json!({"name": "Ann", "room": "blue"}))
        .await;
    let later = house.now_us() + 10 * DAY_US;
    let scheduled = house.next(later).await.expect("it is due");
    let schedule = house.say(&scheduled).await;
    house.ledger.paused_us += 12 * DAY_US;
    let applied = house.next(later + DAY_US).await.expect("the day is over");
    let hold = house.hold("case", json!({"kind": VISITOR})).await;
    house.say(&applied).await;
    assert_eq!(house.delete().await, 0);
    assert_eq!(house.gone().await, Vec::<u64>::new());
    assert_eq!(house.blocked().await, []);

    house.ledger.paused_us += 61_000_000;
    let data = json!({"class": "10d", "ranges": [[ann, ann]], "scheduled_by": schedule});
    let late = house.forge(&data).await;
    assert_eq!(house.delete().await, 0);
    let blocked = [(late, "hold".to_owned(), vec![ann, hold, late])];
    assert_eq!(house.blocked().await, blocked);
    house.verifies().await;
}

/// Whoever can publish as the ledger can name anything. Rows 000-49, 000-50, 000-51, 001-58.
#[tokio::test]
async fn what_must_be_kept_is_not_deleted_whoever_names_it() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor("1", "came", json!({"name": "Ann", "room": "blue"}))
        .await;
    let staging = house
        .ledger
        .environment("staging", "created", json!({"name": "staging"}))
        .await;
    // A position of a kind whose time is not over, and one of a kind that is kept for ever.
    let data = json!({"class": "10d", "ranges": [[ann, staging]]});
    let early = house.forge(&data).await;
    assert_eq!(house.delete().await, 0);
    assert_eq!(house.gone().await, Vec::<u64>::new());
    // When its time is over, and when a hold keeps it.
    house.ledger.paused_us += 11 * DAY_US;
    let only = json!({"class": "10d", "ranges": [[ann, ann]]});
    let hold = house.hold("case", json!({"kind": VISITOR})).await;
    let held = house.forge(&only).await;
    house.release("case").await;
    assert_eq!(house.delete().await, 0);
    let last = house.forge(&data).await;
    assert_eq!(house.delete().await, 1);
    assert_eq!(house.gone().await, [ann]);
    house.verifies().await;
    assert_eq!(
        house.blocked().await,
        [
            (early, "least".to_owned(), vec![ann, early]),
            (held, "hold".to_owned(), vec![ann, hold, held]),
            (last, "least".to_owned(), vec![staging, last]),
        ]
    );
    // Folded anew, it is the same.
    house.rebuild().await;
    assert_eq!(house.blocked().await.len(), 3);
    house.rejudges().await;
}

#[tokio::test]
async fn a_redaction_needs_two_people_and_no_hold() {
    let mut house = House::new(settings()).await;
    let ann = house
        .visitor("1", "came", json!({"name": "Ann", "room": "blue"}))
        .await;
    let other = house
        .visitor("2", "came", json!({"name": "Bob", "room": "blue"}))
        .await;
    house.redact(&[ann], "bob").await;
    assert_eq!(
        house.next(house.now_us()).await,
        None,
        "bob agreed with himself"
    );
    house.hold("case", json!({"id": "1"})).await;
    let request = house.redact(&[ann, other], "alice").await;
    let applied = house
        .next(house.now_us())
        .await
        .expect("of what is not held");
    let data: Value = serde_json::from_str(&applied.data).expect("JSON");
    assert_eq!(
        data,
        json!({"class": "redaction", "ranges": [[other, other]], "scheduled_by": request})
    );
    house.say(&applied).await;
    assert_eq!(house.next(house.now_us()).await, None);
    // At the last moment: the event has been said, and the hold comes before it is done.
    house.hold("late", json!({"id": "2"})).await;
    assert_eq!(house.delete().await, 0);
    house.release("late").await;
    assert_eq!(house.delete().await, 1);
    house.release("case").await;
    let applied = house.next(house.now_us()).await.expect("the rest");
    assert_eq!(ranges(&applied), json!([[ann, ann]]));
    house.say(&applied).await;
    assert_eq!(house.delete().await, 1);
    assert_eq!(house.gone().await, [ann, other]);
    house.verifies().await;
}

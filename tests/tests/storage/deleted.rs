//! Data is deleted by events of the chain alone, and never where a hold keeps it.

use ledger::append::Appender;
use ledger::report::What;
use schema::{Event, EventType, Name};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::{Fixture, STREAM, arrival, event, main};
use crate::verify::Found;

const DELETE: &str = "SELECT deleted FROM ledger.delete_data(1, $1, $2, $3)";

/// A ledger with things to delete.
struct Desk {
    fixture: Fixture,
    appender: Appender,
    /// In the role of retention.
    retention: Client,
}

impl Desk {
    /// Twenty events.
    async fn new() -> Self {
        let fixture = Fixture::new().await;
        let mut appender = fixture.appender().await;
        fixture.fill(&mut appender, 1, 20).await;
        let retention = fixture.superuser().await;
        let role = retention.batch_execute("SET ROLE ledger_retention").await;
        role.expect("the role is there");
        Self {
            fixture,
            appender,
            retention,
        }
    }

    /// One of package `ledger`; gives its position.
    async fn say(&mut self, event_type: &str, subject: &str, data: Value) -> u64 {
        let number = self.appender.head().stream_seq + 1;
        let said = Event {
            publisher: Name::new("ledger").expect("legal"),
            source: "ledger://main".into(),
            event_type: EventType::parse(event_type).expect("legal"),
            subject: subject.to_owned(),
            data: data.to_string().into(),
            ..event(&format!("own-{number}"))
        };
        let batch = vec![arrival(number, said)];
        let outcomes = self.appender.append(STREAM, batch).await.expect("appended");
        outcomes[0].seq
    }

    async fn apply(&mut self, ranges: Value) -> u64 {
        let data = json!({"class": "redaction", "ranges": ranges, "scheduled_by": 2});
        self.say("ledger.retention.applied", "redaction", data)
            .await
    }

    async fn place(&mut self, hold: &str, scope: Value) -> u64 {
        let data = json!({"hold": hold, "scope": scope, "reason": "why"});
        self.say("ledger.hold.placed", hold, data).await
    }

    async fn release(&mut self, hold: &str) -> u64 {
        self.say("ledger.hold.released", hold, json!({"hold": hold}))
            .await
    }

    async fn seal(&mut self) {
        let mut sealer = self.fixture.sealer(&[]).await.expect("opened");
        self.fixture.seal(&mut sealer).await;
    }

    /// What is deleted of these positions; `None` where that is refused.
    async fn delete(
        &self,
        by: u64,
        epoch: u64,
        seqs: std::ops::RangeInclusive<i64>,
    ) -> Option<Vec<i64>> {
        let seqs: Vec<i64> = seqs.collect();
        let (by, epoch) = (
            i64::try_from(by).expect("small"),
            i64::try_from(epoch).expect("small"),
        );
        let rows = self
            .retention
            .query(DELETE, &[&by, &epoch, &seqs])
            .await
            .ok()?;
        let mut deleted: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        deleted.sort_unstable();
        Some(deleted)
    }

    fn epoch(&self) -> u64 {
        u64::try_from(self.appender.head().epoch).expect("small")
    }
}

#[tokio::test]
async fn deleted_data_needs_an_event_that_says_so() {
    let mut desk = Desk::new().await;
    let by = desk.apply(json!([[3, 5], [8, 8], [21, 30]])).await;
    assert_eq!(by, 21);
    let epoch = desk.epoch();
    assert_eq!(
        desk.delete(by, epoch, 1..=20).await,
        None,
        "not under a signed head"
    );
    desk.seal().await;
    assert_eq!(
        desk.delete(20, epoch, 1..=20).await,
        None,
        "no ledger.retention.applied"
    );
    assert_eq!(
        desk.delete(by, epoch - 1, 1..=20).await,
        None,
        "another epoch"
    );
    let report = desk.fixture.verify(&[]).await;
    assert_eq!(report.problems, []);
    assert!(
        report.notes.iter().any(|note| note.contains("4 positions")),
        "{:?}",
        report.notes
    );
    assert_eq!(desk.delete(by, epoch, 4..=21).await, Some(vec![4, 5, 8]));
    assert_eq!(
        desk.delete(by, epoch, 0..=21).await,
        Some(vec![3]),
        "the rest, once"
    );
    let report = desk.fixture.verify(&[]).await;
    assert_eq!((report.problems, report.notes.len()), (vec![], 0));
    // The same event again, its data gone: it is not compared. Another event with other data: it is.
    let changed = |id: &str| Event {
        data: "{}".into(),
        ..event(id)
    };
    let batch = vec![arrival(22, changed("id-4")), arrival(23, changed("id-6"))];
    let outcomes = desk.appender.append(STREAM, batch).await.expect("appended");
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| format!("{:?}", outcome.kind))
        .collect();
    assert_eq!(kinds, ["Duplicate { of: 4 }", "Quarantined(IdConflict)"]);
    let sql = "DELETE FROM ledger.body WHERE seq IN (4, 6, 9)";
    let expected: Vec<Found> = vec![(What::Redaction, Some(6)), (What::Redaction, Some(9))];
    let Desk {
        fixture,
        appender,
        retention,
    } = desk;
    drop((appender, retention));
    assert_eq!(fixture.found_after(sql, &[]).await, expected);
}

#[tokio::test]
async fn a_hold_keeps_what_it_covers_and_what_is_deleted_all_the_same_is_found() {
    let mut desk = Desk::new().await;
    // By time: arrivals are a millisecond apart.
    let from_us = crate::support::CREATED_US + 7000;
    desk.place("early", json!({"to_us": crate::support::CREATED_US + 4000}))
        .await;
    desk.place("gone", json!({"kind": "platform.environment"}))
        .await;
    desk.release("gone").await;
    let by = desk.apply(json!([[1, 10]])).await;
    // At the last moment: it is there, and nothing is deleted yet.
    desk.place(
        "late",
        json!({"kind": "platform.environment", "id": "production", "from_us": from_us}),
    )
    .await;
    desk.place(
        "other",
        json!({"kind": "platform.environment", "id": "staging"}),
    )
    .await;
    desk.seal().await;
    let epoch = desk.epoch();
    assert_eq!(desk.delete(by, epoch, 1..=10).await, Some(vec![5, 6]));
    desk.release("late").await;
    assert_eq!(
        desk.delete(by, epoch, 1..=10).await,
        Some(vec![7, 8, 9, 10])
    );
    // What a hold forbade when the event came is not deleted by it, ever.
    desk.release("early").await;
    assert_eq!(desk.delete(by, epoch, 1..=10).await, Some(vec![]));
    assert_eq!(desk.fixture.verify(&[]).await.problems, []);
    let again = desk.apply(json!([[1, 2]])).await;
    desk.seal().await;
    assert_eq!(desk.delete(again, epoch, 1..=10).await, Some(vec![1, 2]));
    assert_eq!(desk.fixture.verify(&[]).await.problems, []);
    let Desk {
        fixture,
        appender,
        retention,
    } = desk;
    drop((appender, retention));
    let found = fixture
        .found_after("DELETE FROM ledger.body WHERE seq = 3", &[])
        .await;
    assert_eq!(found, [(What::Redaction, Some(3))]);
}

#[tokio::test]
async fn an_incident_holds_its_causes() {
    let mut desk = Desk::new().await;
    let opened = json!({"incident": "i", "class": "c", "severity": "error", "causes": [3]});
    desk.say("ledger.incident.opened", "i", opened).await;
    desk.place("case", json!({"incident": "i"})).await;
    let added = json!({"incident": "i", "cause_seq": 5});
    desk.say("ledger.incident.cause_added", "i", added).await;
    let by = desk.apply(json!([[2, 5], [21, 24]])).await;
    desk.seal().await;
    let epoch = desk.epoch();
    assert_eq!(
        desk.delete(by, epoch, 1..=24).await,
        Some(vec![2, 4]),
        "nor what explains the rest"
    );
    assert_eq!(desk.fixture.verify(&[]).await.problems, []);
}

/// The event that says so is recorded after verification began, and is not among what is verified.
#[tokio::test]
async fn what_is_deleted_while_it_is_verified_is_explained_by_what_came_since() {
    let mut desk = Desk::new().await;
    desk.fixture.fill(&mut desk.appender, 21, 17_000).await;
    desk.seal().await;
    let (begun, begins) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let goes = std::sync::Mutex::new(goes);
    let db = desk.fixture.db.clone();
    let verifying = tokio::task::spawn_blocking(move || {
        let options = ledger::verify::Options {
            segments: 1,
            keys: Vec::new(),
            released: Vec::new(),
        };
        ledger::verify::verify(&db, &main(), &options, &|_| {
            // Once: after that the other end is gone.
            let _ = begun.send(());
            let _ = goes.lock().expect("nobody panicked").recv();
        })
    });
    tokio::task::spawn_blocking(move || begins.recv())
        .await
        .expect("told")
        .expect("begun");
    let by = desk
        .apply(json!([[16_500, 16_502], [16_600, 16_600]]))
        .await;
    desk.seal().await;
    let deleted = desk.delete(by, desk.epoch(), 16_500..=16_600).await;
    assert_eq!(deleted, Some(vec![16_500, 16_501, 16_502, 16_600]));
    drop(go);
    let report = verifying.await.expect("no panic").expect("verified");
    assert_eq!((report.problems, report.size), (vec![], 17_001));
}

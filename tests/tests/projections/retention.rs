//! Data goes when its time is over, with what it said in the views; what a hold or the least of its kind keeps does not.

#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::similar_names,
    reason = "a test reports by panicking, and is run once"
)]

use ledger::append::Kind;
use ledger::read::Reader;
use ledger::redaction::{Coverage, Word};
use ledger::verify::{Options, verify};
use projections::fact::Fact;
use projections::query::{StateRow, When, Which};
use projections::retention::{Desk, Saying};
use schema::{Name, Package};
use serde_json::{Value, json};

use crate::support::{Fixture, main};

const DAY_US: i64 = 86_400_000_000;
const VISITOR: &str = "house.visitor";

/// A house with visitors, and the desk at which deleting is decided.
struct House {
    ledger: Fixture,
}

impl House {
    async fn new(settings: Value) -> Self {
        let mut ledger = Fixture::new().await;
        let lamp = include_str!("../../../projections/tests/kinds/lamp.toml");
        let files = [
            ("lamp.toml", lamp),
            ("visitor.toml", include_str!("visitor.toml")),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let house = Package::parse(Name::new("house").expect("legal"), files.to_vec());
        let mut packages = Package::builtin();
        packages.push(house.expect("it loads"));
        ledger.activate_with(&packages, settings).await;
        Self { ledger }
    }

    async fn visitor(&mut self, id: &str, verb: &str, data: Value) -> u64 {
        let number = self.ledger.appender.head().stream_seq;
        let body = json!({
            "specversion": "1.0", "id": format!("v{number}"), "source": "https://door.example", "subject": id,
            "type": format!("{VISITOR}.{verb}"), "authid": "door", "data": data,
        });
        let event_type = format!("{VISITOR}.{verb}");
        let outcome = self
            .ledger
            .send("door", &event_type, body.to_string().into_bytes())
            .await;
        assert_eq!(outcome.kind, Kind::Recorded, "{body}");
        outcome.seq
    }

    /// One of package `ledger`, by whom.
    async fn own(
        &mut self,
        publisher: &str,
        actor: &str,
        event_type: &str,
        subject: &str,
        data: &Value,
    ) -> u64 {
        let number = self.ledger.appender.head().stream_seq;
        let source = if publisher == "ledger" {
            "ledger://main"
        } else {
            "/cli"
        };
        let body = json!({
            "specversion": "1.0", "id": format!("o{number}"), "source": source, "subject": subject,
            "type": event_type, "authid": actor, "data": data,
        });
        let outcome = self
            .ledger
            .send(publisher, event_type, body.to_string().into_bytes())
            .await;
        assert_eq!(outcome.kind, Kind::Recorded, "{body}");
        outcome.seq
    }

    async fn hold(&mut self, hold: &str, scope: Value) -> u64 {
        let data = json!({"hold": hold, "scope": scope, "reason": "why"});
        self.own("oncall", "alice", "ledger.hold.placed", hold, &data)
            .await
    }

    async fn release(&mut self, hold: &str) -> u64 {
        let data = json!({"hold": hold});
        self.own("oncall", "alice", "ledger.hold.released", hold, &data)
            .await
    }

    async fn redact(&mut self, seqs: &[u64], actor: &str) -> u64 {
        let data = json!({"seqs": seqs, "reason": "by mistake", "approved_by": "bob"});
        self.own("oncall", actor, "ledger.redaction.requested", "r1", &data)
            .await
    }

    async fn reader(&self) -> Reader {
        Reader::open(&self.ledger.db, &main()).await.expect("there")
    }

    /// A new process each time: nothing is remembered but what is in the database.
    async fn desk(&self) -> Desk {
        let mut desk = Desk::open(self.reader().await).await.expect("opened");
        desk.refresh().await.expect("read");
        desk
    }

    async fn next(&self, now_us: i64) -> Option<Saying> {
        let said = self.desk().await.next(now_us).await.expect("an answer");
        // Whoever is asked again after a crash says the same.
        assert_eq!(
            self.desk().await.next(now_us).await.expect("an answer"),
            said
        );
        said
    }

    async fn say(&mut self, saying: &Saying) -> u64 {
        let body = json!({
            "specversion": "1.0", "id": saying.id, "source": "ledger://main", "type": saying.event_type,
            "subject": saying.subject, "data": serde_json::from_str::<Value>(&saying.data).expect("JSON"),
        });
        let body = body.to_string().into_bytes();
        let outcome = self
            .ledger
            .send("ledger", saying.event_type, body.clone())
            .await;
        assert_eq!(outcome.kind, Kind::Recorded);
        // Published again, it is a duplicate.
        let again = self.ledger.send("ledger", saying.event_type, body).await;
        assert_eq!(again.kind, Kind::Duplicate { of: outcome.seq });
        outcome.seq
    }

    /// Folds, signs, and deletes what there is to delete; gives how much that was.
    async fn delete(&self) -> usize {
        self.ledger.fold().await;
        self.delete_now().await
    }

    async fn delete_now(&self) -> usize {
        let client = self.ledger.superuser().await;
        let sql =
            "UPDATE ledger.sealer s SET size = h.size FROM ledger.head h WHERE h.ledger = s.ledger";
        client.batch_execute(sql).await.expect("as if signed");
        let size = self.reader().await.head().await.expect("a head").size;
        self.desk().await.delete(size).await.expect("deleted")
    }

    /// What was found to name data that must be kept: cause, key, and what it was judged from.
    async fn blocked(&self) -> Vec<(u64, String, Vec<u64>)> {
        let found = self.ledger.violations().await;
        let blocked = found
            .into_iter()
            .filter(|one| one.rule == "retention.blocked");
        let told = |one: projections::query::ViolationRow| {
            assert_eq!(
                (one.severity.as_str(), one.kind.as_str()),
                ("critical", "ledger.retention")
            );
            (one.cause_seq, one.detail_key, one.judged_from)
        };
        blocked.map(told).collect()
    }

    /// Judged anew from nothing but the chain, nothing was added or dropped.
    async fn rejudges(&mut self) {
        self.ledger.publish().await;
        let mut judge = projections::rejudge::Rejudge::new(&main());
        let mut report = ledger::report::Report::new();
        let records = self.reader().await.records(0, 10_000).await.expect("read");
        let facts: Result<Vec<_>, _> = records.into_iter().map(Fact::read).collect();
        let facts = facts.expect("they can be read");
        judge.take(&facts, &mut report).expect("judged");
        judge.finish(&mut report);
        assert_eq!(report.problems, []);
    }

    /// The positions whose data is gone.
    async fn gone(&self) -> Vec<u64> {
        let records = self.reader().await.records(0, 10_000).await.expect("read");
        let gone = records.iter().filter(|record| record.body.is_none());
        gone.map(|record| record.header.seq).collect()
    }

    async fn state(&self, id: &str) -> StateRow {
        let which = Which {
            kind: Some(VISITOR),
            id: Some(id),
        };
        self.ledger
            .state(which, When::Now)
            .await
            .pop()
            .expect("it is known")
    }

    /// Nothing is wrong with what is stored; signatures are not looked at.
    async fn verifies(&self) {
        let db = self.ledger.db.clone();
        let options = Options {
            segments: 1,
            keys: Vec::new(),
            released: Vec::new(),
        };
        let report = tokio::task::spawn_blocking(move || verify(&db, &main(), &options, &|_| {}));
        let report = report.await.expect("no panic").expect("read");
        let wrong: Vec<_> = report
            .problems
            .iter()
            .filter(|one| one.seq.is_some())
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    fn now_us(&self) -> i64 {
        self.ledger.appender.head().recorded_us
    }
}

fn settings() -> Value {
    json!({ "operators": ["oncall"], "retention": { "notice": "1d" } })
}

fn ranges(saying: &Saying) -> Value {
    serde_json::from_str::<Value>(&saying.data).expect("JSON")["ranges"].clone()
}

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
    let word = "ledger.retention.applied";
    let late = house.own("ledger", "somebody", word, "10d", &data).await;
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
    let early = house
        .own(
            "ledger",
            "somebody",
            "ledger.retention.applied",
            "10d",
            &data,
        )
        .await;
    assert_eq!(house.delete().await, 0);
    assert_eq!(house.gone().await, Vec::<u64>::new());
    // When its time is over, and when a hold keeps it.
    house.ledger.paused_us += 11 * DAY_US;
    let only = json!({"class": "10d", "ranges": [[ann, ann]]});
    let hold = house.hold("case", json!({"kind": VISITOR})).await;
    let held = house
        .own(
            "ledger",
            "somebody",
            "ledger.retention.applied",
            "10d",
            &only,
        )
        .await;
    house.release("case").await;
    assert_eq!(house.delete().await, 0);
    let last = house
        .own(
            "ledger",
            "somebody",
            "ledger.retention.applied",
            "10d",
            &data,
        )
        .await;
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
    let what = projections::project::Rebuild::default();
    projections::project::rebuild(&house.ledger.db, &main(), &what, |_| {})
        .await
        .expect("rebuilt");
    assert_eq!(house.blocked().await.len(), 3);
    house.rejudges().await;
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
    let what = projections::project::Rebuild::default();
    projections::project::rebuild(&house.ledger.db, &main(), &what, |_| {})
        .await
        .expect("rebuilt");
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

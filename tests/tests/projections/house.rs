//! A house with visitors, whose data is kept for ten days, and the desk at which deleting is decided.

#![allow(
    clippy::indexing_slicing,
    clippy::large_futures,
    clippy::similar_names,
    reason = "a test reports by panicking, and is run once"
)]

use ledger::append::Kind;
use ledger::read::Reader;
use ledger::verify::{Options, verify};
use projections::fact::Fact;
use projections::query::{StateRow, When, Which};
use projections::retention::{Desk, Saying};
use schema::{Name, Package};
use serde_json::{Value, json};

use crate::support::{Fixture, main};

pub(crate) const DAY_US: i64 = 86_400_000_000;
pub(crate) const VISITOR: &str = "house.visitor";

/// A house with visitors, and the desk at which deleting is decided.
pub(crate) struct House {
    pub(crate) ledger: Fixture,
}

impl House {
    pub(crate) async fn new(settings: Value) -> Self {
        let mut ledger = Fixture::new().await;
        let lamp = include_str!("../../../projections/tests/kinds/lamp.toml");
        let files = [
            ("lamp.toml", lamp),
            ("visitor.toml", include_str!("visitor.toml")),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let house = Package::parse(Name::new("house").expect("legal"), files.to_vec());
        let mut packages = Package::builtin().expect("the built-in packages load");
        packages.push(house.expect("it loads"));
        ledger.activate_with(&packages, settings).await;
        Self { ledger }
    }

    pub(crate) async fn visitor(&mut self, id: &str, verb: &str, data: Value) -> u64 {
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

    pub(crate) async fn hold(&mut self, hold: &str, scope: Value) -> u64 {
        let data = json!({"hold": hold, "scope": scope, "reason": "why"});
        self.own("oncall", "alice", "ledger.hold.placed", hold, &data)
            .await
    }

    pub(crate) async fn release(&mut self, hold: &str) -> u64 {
        let data = json!({"hold": hold});
        self.own("oncall", "alice", "ledger.hold.released", hold, &data)
            .await
    }

    pub(crate) async fn redact(&mut self, seqs: &[u64], actor: &str) -> u64 {
        let data = json!({"seqs": seqs, "reason": "by mistake", "approved_by": "bob"});
        self.own("oncall", actor, "ledger.redaction.requested", "r1", &data)
            .await
    }

    /// Somebody who can publish as the ledger names positions whose data is to go.
    pub(crate) async fn forge(&mut self, data: &Value) -> u64 {
        let applied = "ledger.retention.applied";
        self.own("ledger", "somebody", applied, "10d", data).await
    }

    pub(crate) async fn reader(&self) -> Reader {
        Reader::open(&self.ledger.db, &main()).await.expect("there")
    }

    /// A new process each time: nothing is remembered but what is in the database.
    async fn desk(&self) -> Desk {
        let mut desk = Desk::open(self.reader().await).await.expect("opened");
        desk.refresh().await.expect("read");
        desk
    }

    pub(crate) async fn next(&self, now_us: i64) -> Option<Saying> {
        let said = self.desk().await.next(now_us).await.expect("an answer");
        // Whoever is asked again after a crash says the same.
        assert_eq!(
            self.desk().await.next(now_us).await.expect("an answer"),
            said
        );
        said
    }

    pub(crate) async fn say(&mut self, saying: &Saying) -> u64 {
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
    pub(crate) async fn delete(&self) -> usize {
        self.ledger.fold().await;
        self.delete_now().await
    }

    pub(crate) async fn delete_now(&self) -> usize {
        let client = self.ledger.superuser().await;
        let sql =
            "UPDATE ledger.sealer s SET size = h.size FROM ledger.head h WHERE h.ledger = s.ledger";
        client.batch_execute(sql).await.expect("as if signed");
        let size = self.reader().await.head().await.expect("a head").size;
        self.desk().await.delete(size).await.expect("deleted")
    }

    /// What was found to name data that must be kept: cause, key, and what it was judged from.
    pub(crate) async fn blocked(&self) -> Vec<(u64, String, Vec<u64>)> {
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
    pub(crate) async fn rejudges(&mut self) {
        self.ledger.publish().await;
        let mut judge = projections::rejudge::Rejudge::new(&main());
        let mut report = ledger::report::Report::new();
        let records = self.reader().await.records(0, 10_000).await.expect("read");
        let facts: Result<Vec<_>, _> = Fact::read_all(records);
        let facts = facts.expect("they can be read");
        judge.take(&facts, &mut report).expect("judged");
        judge.finish(&mut report);
        assert_eq!(report.problems, []);
    }

    /// The positions whose data is gone.
    pub(crate) async fn gone(&self) -> Vec<u64> {
        let records = self.reader().await.records(0, 10_000).await.expect("read");
        let gone = records.iter().filter(|record| record.body.is_none());
        gone.map(|record| record.header.seq).collect()
    }

    pub(crate) async fn state(&self, id: &str) -> StateRow {
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
    pub(crate) async fn verifies(&self) {
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

    /// Folded anew, in views beside the living ones.
    pub(crate) async fn rebuild(&self) {
        let what = projections::project::Rebuild::default();
        projections::project::rebuild(&self.ledger.db, &main(), &what, |_| {})
            .await
            .expect("rebuilt");
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.ledger.appender.head().recorded_us
    }
}

pub(crate) fn settings() -> Value {
    json!({ "operators": ["oncall"], "retention": { "notice": "1d" } })
}

pub(crate) fn ranges(saying: &Saying) -> Value {
    serde_json::from_str::<Value>(&saying.data).expect("JSON")["ranges"].clone()
}

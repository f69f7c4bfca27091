//! A ledger with the built-in kinds active, and messages read as they would come from NATS.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use ledger::append::{Appender, Arrival, Outcome};
use ledger::db::Database;
use ledger::keyring::Keyring;
use ledger::{init, migrate};
use projections::Metrics;
use projections::entity::Key;
use projections::project::Projector;
use projections::query::{self, StateRow, ViolationRow, When, Which};
use schema::{Activation, Catalog, LedgerName, Message, Package};
use serde_json::{Value, json};
use tests::Postgres;
use tokio_postgres::Client;

pub const CREATED_US: i64 = 1_785_704_400_000_000;
pub const STREAM: &str = "LEDGER-main@1785704400000000";
pub const ENVIRONMENT: &str = "platform.environment";

pub struct Fixture {
    pub server: Arc<Postgres>,
    pub database: String,
    pub db: Database,
    pub appender: Appender,
    pub metrics: Arc<Metrics>,
    /// How long nothing happened, in all, in µs.
    pub paused_us: i64,
    catalog: Catalog,
    keys: tempfile::TempDir,
}

pub fn main() -> LedgerName {
    LedgerName::new("main").expect("a legal name")
}

fn counted(bytes: &mut [u8]) {
    bytes.fill(7);
}

impl Fixture {
    /// A ledger whose built-in packages are recorded and activated.
    pub async fn new() -> Self {
        Self::on(Postgres::shared().await).await
    }

    pub async fn on(server: Arc<Postgres>) -> Self {
        let database = server.create_database().await;
        let db = Database::connect(server.config(&database), 8);
        migrate::CHAIN.run(&db).await.expect("the chain's tables");
        projections::migrate::VIEWS
            .run(&db)
            .await
            .expect("the views' tables");
        let keys = tempfile::tempdir().expect("a temporary folder");
        let keyring = Keyring::open(keys.path(), counted).expect("the keys open");
        init::create(&db, &main(), "ledger.example/main", CREATED_US, &keyring)
            .await
            .expect("a new ledger");
        let appender = Appender::take_over(db.clone(), &main(), keyring)
            .await
            .expect("ours");
        let mut fixture = Self {
            server,
            database,
            db,
            appender,
            metrics: Arc::default(),
            paused_us: 0,
            catalog: Catalog::bootstrap(),
            keys,
        };
        fixture
            .activate(&Package::builtin().expect("the built-in packages load"))
            .await;
        fixture
    }

    /// Records packages and activates them, as `ledger init` does, with all rules off but those of the lifecycles: what
    /// is tested with these is how states and verdicts come to be, with as few of them as that needs.
    pub async fn activate(&mut self, packages: &[Package]) {
        let rules = packages
            .iter()
            .flat_map(Package::kinds)
            .flat_map(|kind| &kind.rules);
        let off: BTreeSet<&str> = rules.map(|rule| rule.id.as_str()).collect();
        self.activate_with(
            packages,
            json!({ "operators": ["oncall"], "rules": { "off": off } }),
        )
        .await;
    }

    /// Turns on every rule of the built-in kinds.
    pub async fn judge_all(&mut self) {
        self.judge_with(json!({ "operators": ["oncall"] })).await;
    }

    /// The same with these settings.
    pub async fn judge_with(&mut self, settings: Value) {
        self.activate_with(
            &Package::builtin().expect("the built-in packages load"),
            settings,
        )
        .await;
    }

    pub async fn activate_with(&mut self, packages: &[Package], operators: Value) {
        for package in packages {
            let data = json!({ "package": package.name().as_str(), "digest": package.digest(), "text": package.text() });
            self.own(
                "catalog.recorded",
                &package.digest(),
                package.name().as_str(),
                &data,
            )
            .await;
        }
        let activation = Activation::of(packages, operators.clone());
        let data: Value = serde_json::from_slice(&activation.data()).expect("JSON");
        self.own("catalog.activated", &activation.digest(), "main", &data)
            .await;
        self.catalog = Catalog::of(packages, operators).expect("they compile");
    }

    async fn own(&mut self, what: &str, id: &str, subject: &str, data: &Value) {
        let body = json!({
            "specversion": "1.0", "id": id, "source": "ledger://main", "type": format!("ledger.{what}"),
            "subject": subject, "data": data,
        });
        self.send(
            "ledger",
            &format!("ledger.{what}"),
            body.to_string().into_bytes(),
        )
        .await;
    }

    /// What a publisher sends, through reader and appender.
    pub async fn send(&mut self, publisher: &str, event_type: &str, body: Vec<u8>) -> Outcome {
        let arrival = self.arrival(publisher, event_type, body, 1);
        let mut outcomes = self
            .appender
            .append(STREAM, vec![arrival])
            .await
            .expect("appended");
        outcomes.pop().expect("one outcome")
    }

    pub fn arrival(&self, publisher: &str, event_type: &str, body: Vec<u8>, after: u64) -> Arrival {
        let stream_seq = self.appender.head().stream_seq + after;
        let message = Message {
            nats_subject: format!("ledger.main.ingest.{publisher}.{event_type}"),
            headers: vec![(
                "Content-Type".to_owned(),
                Bytes::from_static(b"application/cloudevents+json"),
            )],
            body: body.into(),
            stream_seq,
            time_us: CREATED_US
                + i64::try_from(stream_seq).expect("small") * 1_000_000
                + self.paused_us,
        };
        let read = schema::read(&message, &main(), &self.catalog);
        Arrival { message, read }
    }

    /// An event about an environment; gives its position.
    pub async fn environment(&mut self, id: &str, verb: &str, data: Value) -> u64 {
        let number = self.appender.head().stream_seq;
        let body = body(number, id, verb, &data);
        let outcome = self
            .send("terraform", &format!("{ENVIRONMENT}.{verb}"), body)
            .await;
        outcome.seq
    }

    pub async fn projector(&self) -> Projector {
        Projector::take_over(&self.db, &main(), self.metrics.clone())
            .await
            .expect("ours")
    }

    /// Folds all there is.
    pub async fn fold(&self) {
        let mut projector = self.projector().await;
        while projector.step().await.expect("folded") > 0 {}
    }

    /// What the outbox would publish, in order.
    pub async fn outbox(&self) -> Vec<(String, Vec<u8>)> {
        let client = self.superuser().await;
        let sql = "SELECT subject, body FROM views.outbox ORDER BY cause_seq, id";
        client
            .query(sql, &[])
            .await
            .expect("rows")
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect()
    }

    /// Sends all of the outbox by the front door.
    pub async fn publish(&mut self) {
        for (subject, body) in self.outbox().await {
            let event_type = subject.strip_prefix("ledger.main.ingest.ledger.");
            let event_type = event_type.expect("as publisher ledger");
            let own = event_type.starts_with("ledger.") || event_type.ends_with(".reverted");
            assert!(own, "{subject}");
            let outcome = self.send("ledger", event_type, body).await;
            assert_eq!(outcome.kind, ledger::append::Kind::Recorded);
        }
    }

    pub async fn superuser(&self) -> Client {
        self.server.connect(&self.database).await
    }

    pub async fn state(&self, which: Which<'_>, when: When) -> Vec<StateRow> {
        query::state(&self.db, &main(), which, when)
            .await
            .expect("an answer")
    }

    pub async fn violations(&self) -> Vec<ViolationRow> {
        query::violations(&self.db, &main(), Which::default(), None, When::Now)
            .await
            .expect("an answer")
    }

    /// Every row of the living views, for comparing: all but the projection's number.
    pub async fn rows(&self) -> Vec<String> {
        let client = self.superuser().await;
        let mut all = Vec::new();
        for table in [
            "entity",
            "link",
            "history",
            "violation",
            "deadline",
            "task",
            "publisher_number",
            "derived",
            "incident",
            "incident_cause",
            "outbox",
            "quarantine",
            "activation",
        ] {
            let columns = format!(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute
                  WHERE attrelid = 'views.{table}'::regclass AND attnum > 0 AND attname <> 'projection'"
            );
            let row = client.query_one(&columns, &[]).await.expect("the columns");
            let columns: String = row.get(0);
            let sql = format!(
                "SELECT ({columns})::text FROM views.{table} JOIN views.projection p USING (projection)
                  WHERE p.state = 'live' ORDER BY 1",
                columns = columns.split(", ").map(|name| format!("{table}.{name}")).collect::<Vec<_>>().join(", ")
            );
            let rows = client.query(&sql, &[]).await.expect("rows");
            all.extend(
                rows.iter()
                    .map(|row| format!("{table} {}", row.get::<_, String>(0))),
            );
        }
        let sql = "SELECT (next_seq, recorded_us, chain)::text FROM views.projection WHERE state = 'live'";
        all.push(client.query_one(sql, &[]).await.expect("a row").get(0));
        all
    }

    pub fn keys(&self) -> &std::path::Path {
        self.keys.path()
    }
}

pub fn body(number: u64, id: &str, verb: &str, data: &Value) -> Vec<u8> {
    json!({
        "specversion": "1.0", "id": format!("e{number}"), "source": "https://ci.example/infra",
        "type": format!("{ENVIRONMENT}.{verb}"), "subject": id, "authid": "alice", "data": data,
    })
    .to_string()
    .into_bytes()
}

pub fn key(id: &str) -> Key {
    Key::new(ENVIRONMENT, id)
}

//! A ledger that was begun 420 days ago, in a real database, with the keys of its time; its broker was lost since.
//!
//! The library takes the time as a parameter, so it can write today what was recorded then. What is written is what ingest
//! would have written: each message is read with the catalog of its position and appended.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ledger::append::{Appender, Arrival, Kind};
use ledger::db::Database;
use ledger::keyring::Keyring;
use ledger::{init, migrate};
use schema::{Activation, Catalog, EventType, LedgerName, Message, Package};
use serde_json::{Value, json};
use tests::{Installation, Nats, Postgres};

pub const DAY_US: i64 = 86_400_000_000;
const ORIGIN: &str = "ledger.example/main";

/// µs since 1970.
pub fn now_us() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("after 1970").as_micros()).expect("before 2262")
}

fn counted(bytes: &mut [u8]) {
    bytes.fill(7);
}

/// Writes into the past of an installation that has never served.
pub struct Past {
    pub installation: Installation,
    pub begun_us: i64,
    appender: Appender,
    catalog: Catalog,
    at_us: i64,
    stream: String,
}

impl Past {
    /// A ledger that was begun so many days ago and activated its catalog with these settings.
    pub async fn begin(days: i64, settings: Value) -> Self {
        let installation = Installation::bare(Postgres::start().await, Nats::start().await).await;
        let begun_us = now_us() - days * DAY_US;
        let ledger = LedgerName::new("main").expect("a legal name");
        let config = installation.postgres.config(&installation.database);
        let db = Database::connect(config, 2);
        migrate::CHAIN.run(&db).await.expect("the chain's tables");
        let views = &projections::migrate::VIEWS;
        views.run(&db).await.expect("the views' tables");
        let keyring = Keyring::open(&installation.path("keys"), counted).expect("the keys open");
        keyring.create_signer(ORIGIN).expect("a signing key");
        init::create(&db, &ledger, ORIGIN, begun_us, &keyring)
            .await
            .expect("a new ledger");
        let appender = Appender::take_over(db, &ledger, keyring)
            .await
            .expect("ours");
        let mut past = Self {
            installation,
            begun_us,
            appender,
            catalog: Catalog::bootstrap(),
            at_us: begun_us,
            stream: format!("LEDGER-main@{begun_us}"),
        };
        past.activate(settings).await;
        past
    }

    async fn activate(&mut self, settings: Value) {
        let packages = Package::builtin().expect("the built-in packages load");
        for package in &packages {
            let (name, digest) = (package.name().to_string(), package.digest());
            let data = json!({"package": name, "digest": digest, "text": package.text()});
            self.own("ledger.catalog.recorded", &digest, &name, &data)
                .await;
        }
        let activation = Activation::of(&packages, settings.clone());
        let data: Value = serde_json::from_slice(&activation.data()).expect("JSON");
        let id = activation.digest();
        self.own("ledger.catalog.activated", &id, "main", &data)
            .await;
        self.catalog = Catalog::of(&packages, settings).expect("they compile");
    }

    async fn own(&mut self, event_type: &str, id: &str, subject: &str, data: &Value) {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "ledger://main", "type": event_type, "subject": subject,
            "data": data,
        });
        self.append("ledger", event_type, &event).await;
    }

    /// Lets time pass until so many days before today.
    pub fn days_ago(&mut self, days: i64) {
        self.at_us = now_us() - days * DAY_US;
    }

    /// Records what a publisher says then: the kind's example with this said otherwise. Gives its position.
    pub async fn record(&mut self, event_type: &str, subject: &str, otherwise: Value) -> u64 {
        let parsed = EventType::parse(event_type).expect("a type");
        let (_, event) = self.catalog.event(&parsed).expect("a known type");
        let mut data = event.example();
        for (name, value) in otherwise.as_object().into_iter().flatten() {
            data[name] = value.clone();
        }
        let id = format!("old-{}", self.appender.head().size);
        let event = json!({
            "specversion": "1.0", "id": id, "source": "urn:test", "type": event_type, "subject": subject,
            "time": schema::time::format_us(self.at_us), "authid": "ana@example.org", "data": data,
        });
        self.append("terraform", event_type, &event).await
    }

    async fn append(&mut self, publisher: &str, event_type: &str, event: &Value) -> u64 {
        self.at_us += 1_000_000;
        let json = Bytes::from_static(b"application/cloudevents+json");
        let message = Message {
            nats_subject: format!("ledger.main.ingest.{publisher}.{event_type}"),
            headers: vec![("Content-Type".to_owned(), json)],
            body: event.to_string().into(),
            stream_seq: self.appender.head().stream_seq + 1,
            time_us: self.at_us,
        };
        let ledger = LedgerName::new("main").expect("a legal name");
        let read = schema::read(&message, &ledger, &self.catalog);
        let arrival = vec![Arrival { message, read }];
        let outcomes = self.appender.append(&self.stream, arrival).await;
        let outcome = outcomes.expect("appended").pop().expect("one outcome");
        assert_eq!(outcome.kind, Kind::Recorded, "{event}");
        outcome.seq
    }

    /// Today: the broker of then is gone, and the program continues on a new one.
    pub async fn today(self) -> Installation {
        drop(self.appender);
        let recovered = self.installation.ask(["recover"]).await;
        assert_eq!(recovered["recovered"], true, "{recovered}");
        self.installation
    }
}

//! A ledger in a database of its own, and messages for it.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use ledger::append::{Appender, Arrival};
use ledger::db::Database;
use ledger::keyring::Keyring;
use ledger::{Record, init, migrate};
use schema::{Event, EventType, LedgerName, Message, Name};
use tests::Postgres;

pub const CREATED_US: i64 = 1_785_704_400_000_000;
pub const STREAM: &str = "LEDGER-main@1785704400000000";
pub const ORIGIN: &str = "ledger.example/main";

/// A new ledger `main` with the vectors' keys.
pub struct Fixture {
    pub server: Arc<Postgres>,
    pub database: String,
    pub db: Database,
    pub keyring: Keyring,
    _keys: tempfile::TempDir,
}

pub fn main() -> LedgerName {
    LedgerName::new("main").expect("a legal name")
}

pub fn vectors() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/formats-v1.json");
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn not_random(_: &mut [u8]) {}

impl Fixture {
    pub async fn new() -> Self {
        Self::on(Postgres::shared().await).await
    }

    /// The same on a server of the caller's.
    pub async fn on(server: Arc<Postgres>) -> Self {
        let database = server.create_database().await;
        let db = Database::connect(server.config(&database), 8);
        migrate::CHAIN.run(&db).await.expect("the migrations apply");
        let keys = tempfile::tempdir().expect("a temporary folder");
        let salt = keys.path().join("salt");
        std::fs::create_dir(&salt).expect("a new folder");
        let key = vectors()["salt_key"].as_str().expect("text").to_owned();
        for month in ["2026-08", "2026-09"] {
            let path = salt.join(format!("{month}.key"));
            std::fs::write(&path, &key).expect("the key can be written");
            private(&path);
        }
        let keyring = Keyring::open(keys.path(), not_random).expect("the keys open");
        init::create(&db, &main(), ORIGIN, CREATED_US, &keyring)
            .await
            .expect("a new ledger");
        Self {
            server,
            database,
            db,
            keyring,
            _keys: keys,
        }
    }

    pub async fn appender(&self) -> Appender {
        Appender::take_over(self.db.clone(), &main(), self.keyring.clone())
            .await
            .expect("the ledger can be taken over")
    }

    /// A connection that may do everything.
    pub async fn superuser(&self) -> tokio_postgres::Client {
        self.server.connect(&self.database).await
    }

    pub async fn records(&self) -> Vec<Record> {
        ledger::read::Reader::open(&self.db, &main())
            .await
            .expect("the ledger is there")
            .records(0, 100_000)
            .await
            .expect("the records can be read")
    }
}

pub fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("the file is ours");
}

pub fn message(stream_seq: u64, publisher: &str) -> Message {
    let offset = i64::try_from(stream_seq).expect("small");
    Message {
        nats_subject: format!("ledger.main.ingest.{publisher}.platform.environment.created"),
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
        stream_seq,
        time_us: CREATED_US + offset * 1000,
    }
}

/// An event with an identity of its own.
pub fn event(id: &str) -> Event {
    Event {
        publisher: Name::new("terraform").expect("legal"),
        source: "https://ci.example/infra".to_owned(),
        id: id.to_owned(),
        event_type: EventType::parse("platform.environment.created").expect("legal"),
        subject: "production".to_owned(),
        actor: "alice@example".to_owned(),
        context: String::new(),
        occurred_us: Some(CREATED_US),
        data: Bytes::from_static(b"{\"a\":1}"),
    }
}

pub fn arrival(stream_seq: u64, event: Event) -> Arrival {
    Arrival {
        message: message(stream_seq, event.publisher.as_str()),
        read: Ok(event),
    }
}

/// Messages `from..=to`, all different.
pub fn arrivals(from: u64, to: u64) -> Vec<Arrival> {
    (from..=to)
        .map(|n| arrival(n, event(&format!("id-{n}"))))
        .collect()
}

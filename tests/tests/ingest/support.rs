//! A ledger between a private NATS server and a database of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest::consume::{self, IngestError};
use ingest::metrics::Metrics;
use ingest::streams::{self, StreamSettings};
use ingest::{Backoff, outgoing};
use ledger::append::Appender;
use ledger::db::Database;
use ledger::head::Head;
use ledger::keyring::Keyring;
use ledger::read::Reader;
use ledger::{Record, init, migrate};
use schema::LedgerName;
use tests::{Nats, Postgres};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub const ORIGIN: &str = "ledger.example/main";
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn main() -> LedgerName {
    LedgerName::new("main").expect("a legal name")
}

/// The servers and one ledger `main`.
pub struct World {
    pub nats: Nats,
    pub postgres: Arc<Postgres>,
    pub db: Database,
    pub keyring: Keyring,
    system: ingest::Nats,
    _keys: tempfile::TempDir,
}

/// A role that runs, until it is told to stop.
pub struct Running<E> {
    pub metrics: Arc<Metrics>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), E>>,
}

impl<E> Running<E> {
    pub async fn stop(self) -> Result<(), E> {
        self.stop.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it stops when told to").expect("no panic")
    }

    /// Waits until it ends by itself.
    pub async fn end(self) -> Result<(), E> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it ends by itself").expect("no panic")
    }

    /// Cuts it off wherever it is.
    pub async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl World {
    pub async fn new() -> Self {
        Self::on(Nats::start().await, Postgres::shared().await).await
    }

    pub async fn on(nats: Nats, postgres: Arc<Postgres>) -> Self {
        let system = ingest::Nats::new([nats.url()]);
        Self::reached_by(nats, postgres, system).await
    }

    pub async fn reached_by(nats: Nats, postgres: Arc<Postgres>, system: ingest::Nats) -> Self {
        let keys = tempfile::tempdir().expect("a folder");
        let random = |bytes: &mut [u8]| bytes.fill(7);
        let keyring = Keyring::open(keys.path(), random).expect("the keys open");
        let database = postgres.create_database().await;
        let db = Database::connect(postgres.config(&database), 4);
        let world = Self {
            nats,
            postgres,
            db,
            keyring,
            system,
            _keys: keys,
        };
        let created_us = world.ensure_streams().await;
        world.init(&world.db, created_us).await;
        world
    }

    pub async fn ensure_streams(&self) -> i64 {
        let connection = self.system().connect("test").await.expect("NATS is there");
        let made = streams::ensure(&connection, &main(), ORIGIN, &StreamSettings::default()).await;
        made.expect("the streams can be made")
    }

    async fn init(&self, db: &Database, created_us: i64) {
        migrate::CHAIN.run(db).await.expect("the migrations apply");
        let made = init::create(db, &main(), ORIGIN, created_us, &self.keyring).await;
        made.expect("the ledger can be made");
    }

    /// Another database with the same ledger, empty.
    pub async fn empty_database(&self) -> Database {
        let database = self.postgres.create_database().await;
        let db = Database::connect(self.postgres.config(&database), 4);
        let created_us = self.ensure_streams().await;
        self.init(&db, created_us).await;
        db
    }

    pub fn system(&self) -> ingest::Nats {
        self.system.clone()
    }

    pub async fn consume(&self) -> Running<IngestError> {
        self.consume_into(&self.db).await
    }

    pub async fn consume_into(&self, db: &Database) -> Running<IngestError> {
        self.replay_into(db, 0).await
    }

    /// Consumes into a database behind a head of this size that was let out.
    pub async fn replay_into(&self, db: &Database, released: u64) -> Running<IngestError> {
        let appender = Appender::take_over(db.clone(), &main(), self.keyring.clone()).await;
        let appender = appender.expect("the ledger can be taken over");
        let mut config = consume::Config::new(self.system(), backoff());
        config.batch_messages = 100;
        config.released = released;
        let metrics = Arc::new(Metrics::default());
        let (stop, stopped) = watch::channel(false);
        let (db, shown) = (db.clone(), metrics.clone());
        let task = tokio::spawn(async move {
            Box::pin(consume::run(
                config,
                db,
                appender,
                |_, _| {},
                shown,
                stopped,
            ))
            .await
        });
        Running {
            metrics,
            stop,
            task,
        }
    }

    pub fn notify(&self) -> Running<outgoing::OutgoingError> {
        let config = outgoing::Config {
            nats: self.system(),
            ledger: main(),
            backoff: backoff(),
        };
        let metrics = Arc::new(Metrics::default());
        let (stop, stopped) = watch::channel(false);
        let wake = Arc::new(Notify::new());
        let running = outgoing::run(config, self.db.clone(), wake, metrics.clone(), stopped);
        Running {
            metrics,
            stop,
            task: tokio::spawn(running),
        }
    }

    pub async fn head(&self) -> Head {
        head(&self.db).await
    }

    /// Waits until the chain has this many positions, and gives them all.
    pub async fn chain_of(&self, size: u64) -> Vec<Record> {
        chain_of(&self.db, size).await
    }

    /// Publishes beats whose ids are these numbers.
    pub async fn publish_beats(&self, ids: std::ops::Range<u64>) {
        let js = self.nats.jetstream().await;
        let mut acks = Vec::new();
        for id in ids {
            let sent = js
                .publish("ledger.main.ingest.ledger.ledger.beat.ticked", beat(id))
                .await;
            acks.push(sent.expect("sent"));
        }
        for ack in acks {
            ack.await.expect("accepted");
        }
    }
}

fn backoff() -> Backoff {
    let mut backoff = Backoff::new(|| 0.5);
    backoff.longest = Duration::from_millis(400);
    backoff
}

pub async fn head(db: &Database) -> Head {
    let head = Head::load(db, &main()).await;
    head.expect("the database is there")
        .expect("the ledger is there")
}

pub async fn chain_of(db: &Database, size: u64) -> Vec<Record> {
    let started = Instant::now();
    loop {
        let head = Head::load(db, &main()).await.ok().flatten();
        if head.as_ref().is_some_and(|head| head.size >= size) {
            break;
        }
        let reached = head.map_or(0, |head| head.size);
        assert!(
            started.elapsed() < PATIENCE,
            "the chain has {reached} of {size} positions"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let reader = Reader::open(db, &main())
        .await
        .expect("the ledger is there");
    let mut records = Vec::new();
    loop {
        let next = u64::try_from(records.len()).expect("a count");
        let page = reader.records(next, 1000).await.expect("read");
        if page.is_empty() {
            return records;
        }
        records.extend(page);
    }
}

/// A legal event of package `ledger`, which every catalog knows.
pub fn beat(id: u64) -> Bytes {
    let event = serde_json::json!({
        "specversion": "1.0", "id": id.to_string(), "source": "ledger://main",
        "type": "ledger.beat.ticked", "subject": "main", "data": {"due_us": id},
    });
    event.to_string().into()
}

/// `type`, and the reason of what was quarantined, for each position of the first stream.
pub fn kinds(records: &[Record]) -> Vec<String> {
    let name = |record: &Record| {
        let data = record.body.as_ref().map(|body| body.data.clone());
        let data: serde_json::Value =
            serde_json::from_slice(&data.unwrap_or_default()).unwrap_or_default();
        let reason = data["reason"].as_str().unwrap_or_default();
        format!("{} {reason}", record.header.event_type)
            .trim()
            .to_owned()
    };
    records.iter().map(name).collect()
}

/// Every message of the stream has exactly one position, in order.
pub fn assert_complete(records: &[Record], last: u64) {
    let mut next = 1;
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record.header.seq, u64::try_from(at).expect("a count"));
        if at == 0 {
            continue;
        }
        if record.header.event_type == "ledger.stream.gap" {
            let data = &record.body.as_ref().expect("data").data;
            let gap: serde_json::Value = serde_json::from_slice(data).expect("JSON");
            assert_eq!(gap["from"], next);
        } else {
            assert_eq!(record.header.stream_seq, next);
        }
        next = record.header.stream_seq + 1;
    }
    assert_eq!(next, last + 1);
}

/// Publishes exactly these bytes: subject, header block, body.
pub async fn publish_raw(url: &str, messages: &[(&[u8], &[u8], &[u8])]) {
    let address = url.strip_prefix("nats://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("NATS is there");
    let mut output = b"CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_vec();
    for (subject, headers, body) in messages {
        let total = headers.len() + body.len();
        if headers.is_empty() {
            output.extend_from_slice(b"PUB ");
            output.extend_from_slice(subject);
        } else {
            output.extend_from_slice(b"HPUB ");
            output.extend_from_slice(subject);
            output.extend_from_slice(format!(" {}", headers.len()).as_bytes());
        }
        output.extend_from_slice(format!(" {total}\r\n").as_bytes());
        output.extend_from_slice(headers);
        output.extend_from_slice(body);
        output.extend_from_slice(b"\r\n");
    }
    output.extend_from_slice(b"PING\r\n");
    stream.write_all(&output).await.expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"PONG\r\n") {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).await.expect("answered");
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&bytes[..read]);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains("-ERR"), "{text}");
    }
}

/// Another version of the server, if the environment names one.
pub fn old_server() -> Option<PathBuf> {
    std::env::var_os("LEDGER_NATS_SERVER_OLD").map(PathBuf::from)
}

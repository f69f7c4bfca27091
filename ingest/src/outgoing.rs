//! What goes out: every position's receipt, and what stands out among them, in order, none left out.
//!
//! Where to go on is read from the outgoing stream itself: a position's receipt is its last message there.
//! Each message names the one before it by its `Nats-Msg-Id` and is refused by the server where another (or
//! none) stands there; the first names the stream's last number. So whatever becomes of a connection, of
//! a message in the middle or of a second process, the stream holds no gap and nothing twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use ledger::Record;
use ledger::db::Database;
use ledger::read::{ReadError, Reader};
use ledger::words::in_full;
use schema::LedgerName;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::backoff::{Backoff, Health, is_stopped, stopped};
use crate::cloudevent::{self, Special};
use crate::metrics::Metrics;
use crate::nats::{Connection, Nats, NatsError};
use crate::streams;

/// How many positions are read at a time.
const PAGE: u64 = 500;
/// How many messages may wait for their acknowledgement.
const IN_FLIGHT: usize = 512;
/// How long to sleep where nothing wakes us.
const POLL: Duration = Duration::from_millis(100);

/// More than our own headers take of what the server allows a message.
const OUR_HEADERS: usize = 1 << 10;

/// How to publish outward.
#[derive(Debug, Clone)]
pub struct Config {
    /// The NATS system.
    pub nats: Nats,
    /// The ledger.
    pub ledger: LedgerName,
    /// How to wait while a server is away.
    pub backoff: Backoff,
}

/// Why publishing outward stopped. None of these mends itself.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// There is no stream to write to.
    #[error("there is no stream {0}; `ledger init` makes it")]
    NoStream(String),
    /// NATS does not let us.
    #[error("the outgoing stream cannot be written")]
    Nats(#[source] NatsError),
    /// The database does not let us.
    #[error("the chain cannot be read")]
    Database(#[source] ReadError),
    /// The server takes no message of this size.
    #[error(
        "position {seq} makes a message of {size} bytes, more than the server's max_payload: raise it"
    )]
    TooLarge {
        /// The position.
        seq: u64,
        /// The size of its message.
        size: usize,
    },
}

enum End {
    Stopped,
    /// Something else was published in between, such as a signed head: look again, at once.
    Again,
    Waiting(Box<dyn std::error::Error + Send + Sync>),
    Failed(OutgoingError),
}

impl From<NatsError> for End {
    fn from(error: NatsError) -> Self {
        if error.is_unavailable() {
            Self::Waiting(error.into())
        } else {
            Self::Failed(OutgoingError::Nats(error))
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        if error.is_unavailable() {
            Self::Waiting(error.into())
        } else {
            Self::Failed(OutgoingError::Database(error))
        }
    }
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence => {
                Self::Again
            }
            _ => Self::Waiting(error.into()),
        }
    }
}

/// Publishes until told to stop. `wake` says that something was committed.
pub async fn run(
    config: Config,
    db: Database,
    wake: Arc<Notify>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), OutgoingError> {
    let mut backoff = config.backoff.clone();
    let mut health = Health::new("notify");
    while !is_stopped(&stop) {
        let end = once(
            &config,
            &db,
            &wake,
            &metrics,
            &mut stop,
            &mut health,
            &mut backoff,
        )
        .await;
        match end {
            End::Stopped => break,
            End::Again => {}
            End::Failed(error) => return Err(error),
            End::Waiting(error) => {
                metrics.notify_outage.begin(in_full(error.as_ref()));
                health.failed(error.as_ref());
                backoff.wait(&mut stop).await;
            }
        }
    }
    Ok(())
}

async fn once(
    config: &Config,
    db: &Database,
    wake: &Notify,
    metrics: &Metrics,
    stop: &mut watch::Receiver<bool>,
    health: &mut Health,
    backoff: &mut Backoff,
) -> End {
    let mut notifier = match Notifier::open(config, db, metrics).await {
        Ok(notifier) => notifier,
        Err(end) => return end,
    };
    let connection = notifier.connection.clone();
    loop {
        let page = tokio::select! {
            () = stopped(stop) => return End::Stopped,
            () = connection.lost() => return connection.lost_error().into(),
            page = notifier.page() => page,
        };
        match page {
            Ok(true) => works(metrics, health, backoff),
            Ok(false) => {
                works(metrics, health, backoff);
                let woken = timeout(POLL, wake.notified());
                tokio::select! {
                    () = stopped(stop) => return End::Stopped,
                    _ = woken => {}
                }
            }
            // The stream is looked at again on the same connection while that stands.
            Err(End::Again) => match connection.hold(notifier.resume()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(lost) => return lost.into(),
            },
            Err(end) => return end,
        }
    }
}

fn works(metrics: &Metrics, health: &mut Health, backoff: &mut Backoff) {
    metrics.notify_outage.end();
    health.works();
    backoff.reset();
}

/// What the next message must stand behind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Behind {
    Number(u64),
    Message(String),
}

struct Notifier<'a> {
    config: &'a Config,
    reader: Reader,
    metrics: &'a Metrics,
    connection: Connection,
    out: Stream,
    /// The next position to publish.
    next: u64,
    /// Its special message is there already, its receipt is not.
    special_sent: bool,
    behind: Behind,
    /// The stream's last number, as far as we know.
    last: u64,
}

impl<'a> Notifier<'a> {
    async fn open(config: &'a Config, db: &Database, metrics: &'a Metrics) -> Result<Self, End> {
        let reader = Reader::open(db, &config.ledger).await?;
        let connection = config.nats.connect("notify").await?;
        let name = config.ledger.stream_out();
        let held = connection.clone();
        let Some(out) = held.hold(streams::get(&connection.js, &name)).await?? else {
            return Err(End::Failed(OutgoingError::NoStream(name)));
        };
        let mut notifier = Self {
            config,
            reader,
            metrics,
            connection,
            out,
            next: 0,
            special_sent: false,
            behind: Behind::Number(0),
            last: 0,
        };
        held.hold(notifier.resume()).await??;
        Ok(notifier)
    }

    /// Reads from the outgoing stream where to go on.
    async fn resume(&mut self) -> Result<(), End> {
        let ledger = &self.config.ledger;
        // The number first: what is published after it makes our first message fail, and we look again.
        let info = self.out.get_info().await;
        let info = info.map_err(|error| End::Waiting(error.into()))?;
        let receipt = highest(&self.out, &format!("ledger.{ledger}.event.>")).await?;
        let mut special = None;
        for what in ["violation", "incident", "quarantine"] {
            let subject = format!("ledger.{ledger}.{what}.>");
            special = special.max(highest(&self.out, &subject).await?);
        }
        self.last = info.state.last_sequence;
        self.behind = Behind::Number(self.last);
        self.next = receipt.map_or(0, |seq| seq + 1);
        self.special_sent = special.is_some_and(|seq| seq >= self.next);
        Ok(())
    }

    /// Publishes what the chain holds from the next position on, up to a page. False where it holds nothing.
    async fn page(&mut self) -> Result<bool, End> {
        let records = self.reader.records(self.next, PAGE).await?;
        let any = !records.is_empty();
        if any && self.is_overtaken().await? {
            self.resume().await?;
            return Ok(true);
        }
        let mut acks = FuturesOrdered::new();
        for record in records {
            for message in self.messages(&record).await? {
                let done = message.receipt.then_some(record.header.seq);
                acks.push_back(acknowledged(
                    self.send(message, record.header.seq).await?,
                    done,
                ));
            }
            while acks.len() >= IN_FLIGHT {
                self.confirm(acks.next().await)?;
            }
        }
        while let Some(ack) = acks.next().await {
            self.confirm(Some(ack))?;
        }
        Ok(any)
    }

    /// Whether somebody else has published since, as the sealer does every second. A message that the server then refuses
    /// would be heard all the same by whoever subscribes to its subject without reading the stream, and once more later.
    async fn is_overtaken(&mut self) -> Result<bool, End> {
        let info = self.out.get_info().await;
        let info = info.map_err(|error| End::Waiting(error.into()))?;
        Ok(info.state.last_sequence != self.last)
    }

    fn confirm(&mut self, ack: Option<Result<Confirmed, End>>) -> Result<(), End> {
        let Some(confirmed) = ack.transpose()? else {
            return Ok(());
        };
        self.last = self.last.max(confirmed.number);
        if let Some(seq) = confirmed.done {
            self.next = seq + 1;
            self.special_sent = false;
            self.metrics.receipts.fetch_add(1, Ordering::Relaxed);
            self.metrics.receipt_seq.store(seq, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The messages of a position: what stands out first, the receipt last.
    async fn messages(&mut self, record: &Record) -> Result<Vec<Message>, End> {
        let most = self.connection.client.server_info().max_payload;
        let body = cloudevent::within(record, most.saturating_sub(OUR_HEADERS));
        let id = hex::encode(record.chain.get(..16).unwrap_or_default());
        let mut messages = Vec::with_capacity(2);
        let sent = self.special_sent && record.header.seq == self.next;
        if !sent && let Some(subject) = self.special(record).await? {
            messages.push(Message {
                subject,
                id: format!("{id}-special"),
                body: body.clone(),
                receipt: false,
            });
        }
        messages.push(Message {
            subject: cloudevent::receipt_subject(&self.config.ledger, record),
            id,
            body,
            receipt: true,
        });
        Ok(messages)
    }

    /// Where a position goes besides its receipt. What becomes of an incident goes where its opening went, which
    /// the chain says.
    async fn special(&self, record: &Record) -> Result<Option<String>, End> {
        let ledger = &self.config.ledger;
        match cloudevent::special(ledger, record) {
            Some(Special::Subject(subject)) => Ok(Some(subject)),
            Some(Special::Incident { state, id }) => {
                let opened = self
                    .reader
                    .record_of("ledger", &ledger.source(), &id)
                    .await?;
                let incident = opened.as_ref().and_then(cloudevent::opened);
                Ok(incident.map(|one| cloudevent::incident_subject(ledger, state, &one)))
            }
            None => Ok(None),
        }
    }

    async fn send(&mut self, message: Message, seq: u64) -> Result<PublishAckFuture, End> {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/cloudevents+json");
        headers.insert(async_nats::header::NATS_MESSAGE_ID, message.id.as_str());
        match &self.behind {
            Behind::Number(number) => {
                headers.insert(
                    async_nats::header::NATS_EXPECTED_LAST_SEQUENCE,
                    number.to_string(),
                );
            }
            Behind::Message(id) => {
                headers.insert(
                    async_nats::header::NATS_EXPECTED_LAST_MESSAGE_ID,
                    id.as_str(),
                );
            }
        }
        self.behind = Behind::Message(message.id);
        let size = message.body.len();
        let js = &self.connection.js;
        let sent = js
            .publish_with_headers(message.subject, headers, message.body)
            .await;
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => {
                End::Failed(OutgoingError::TooLarge { seq, size })
            }
            _ => error.into(),
        })
    }
}

/// One message to publish.
struct Message {
    subject: String,
    id: String,
    body: Bytes,
    /// Whether it is the last of its position.
    receipt: bool,
}

/// A message that is in the stream.
struct Confirmed {
    /// Its number.
    number: u64,
    /// The position that it was the last of.
    done: Option<u64>,
}

async fn acknowledged(ack: PublishAckFuture, done: Option<u64>) -> Result<Confirmed, End> {
    let ack = ack.await?;
    // Nothing of ours is published twice on purpose: the stream is not as we believed.
    if ack.duplicate {
        Err(End::Again)
    } else {
        let number = ack.sequence;
        Ok(Confirmed { number, done })
    }
}

/// The next position whose receipt is to be published, as the outgoing stream has it; `None` where NATS does not say.
pub async fn next(js: &async_nats::jetstream::Context, ledger: &LedgerName) -> Option<u64> {
    let out = js.get_stream(ledger.stream_out()).await.ok()?;
    let last = highest(&out, &format!("ledger.{ledger}.event.>")).await;
    Some(last.ok()?.map_or(0, |seq| seq + 1))
}

/// The `ledgerseq` of the last message below a subject.
async fn highest(out: &Stream, subject: &str) -> Result<Option<u64>, End> {
    #[derive(Deserialize)]
    struct Numbered {
        ledgerseq: u64,
    }
    match out.get_last_raw_message_by_subject(subject).await {
        Ok(message) => {
            let numbered: Numbered = serde_json::from_slice(&message.payload).map_err(|error| {
                let what = format!("read message {} of the outgoing stream", message.sequence);
                End::Failed(OutgoingError::Nats(NatsError::refused(what, error)))
            })?;
            Ok(Some(numbered.ledgerseq))
        }
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(End::Waiting(error.into())),
    }
}

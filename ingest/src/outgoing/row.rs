//! The row of messages on the outgoing stream: each is sent behind the one before it, before that has arrived.

use std::sync::atomic::Ordering;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::{HeaderMap, Subscriber};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesOrdered, StreamExt as _};
use ledger::Record;
use ledger::db::Database;
use ledger::read::Reader;
use serde::Deserialize;

use super::{Config, End, OutgoingError};
use crate::cloudevent::{self, Special};
use crate::metrics::Metrics;
use crate::nats::{Connection, NatsError};
use crate::streams;

/// How many positions are read at a time.
const PAGE: u64 = 500;
/// How many messages may wait for their acknowledgement.
const IN_FLIGHT: usize = 512;
/// More than our own headers take of what the server allows a message.
const OUR_HEADERS: usize = 1 << 10;

/// What the next message must stand behind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Behind {
    Number(u64),
    Message(String),
}

/// Whoever writes the row.
pub(super) struct Row<'a> {
    config: &'a Config,
    reader: Reader,
    metrics: &'a Metrics,
    pub(super) connection: Connection,
    out: Stream,
    /// Signed heads, which others put in between, as they are published.
    heads: Subscriber,
    /// What was sent and not acknowledged, in order.
    on_the_way: FuturesOrdered<BoxFuture<'static, Result<Confirmed, End>>>,
    /// The next position to send.
    next: u64,
    /// Its special message is there already, its receipt is not.
    special_sent: bool,
    behind: Behind,
    /// The stream's last number, as far as we know.
    last: u64,
}

impl<'a> Row<'a> {
    pub(super) async fn open(
        config: &'a Config,
        db: &Database,
        metrics: &'a Metrics,
    ) -> Result<Self, End> {
        let reader = Reader::open(db, &config.ledger).await?;
        let connection = config.nats.connect("notify").await?;
        let name = config.ledger.stream_out();
        let held = connection.clone();
        let Some(out) = held.hold(streams::get(&connection.js, &name)).await?? else {
            return Err(End::Failed(OutgoingError::NoStream(name)));
        };
        let heads = connection.client.subscribe(checkpoints(config)).await;
        let heads = heads.map_err(|error| NatsError::refused("subscribe to the heads", error))?;
        let mut row = Self {
            config,
            reader,
            metrics,
            connection,
            out,
            heads,
            on_the_way: FuturesOrdered::new(),
            next: 0,
            special_sent: false,
            behind: Behind::Number(0),
            last: 0,
        };
        held.hold(row.resume()).await??;
        Ok(row)
    }

    /// Reads from the outgoing stream where to go on, and forgets what was on the way: where one of it was refused, so
    /// are those behind it.
    pub(super) async fn resume(&mut self) -> Result<(), End> {
        self.on_the_way = FuturesOrdered::new();
        self.has_heard_a_head();
        let ledger = &self.config.ledger;
        // The number first: what is published after it makes our first message fail, and we look again.
        let info = self.out.get_info().await;
        let info = info.map_err(|error| End::Waiting(error.into()))?;
        let [receipts, violations, incidents, quarantine] =
            ["event", "violation", "incident", "quarantine"]
                .map(|what| format!("ledger.{ledger}.{what}.>"));
        let last = async {
            tokio::try_join!(
                highest(&self.out, &receipts),
                highest(&self.out, &violations),
                highest(&self.out, &incidents),
                highest(&self.out, &quarantine),
            )
        };
        // On the heap, because together they are large.
        let (receipt, violation, incident, quarantined) = Box::pin(last).await?;
        let special = violation.max(incident).max(quarantined);
        self.last = info.state.last_sequence;
        self.behind = Behind::Number(self.last);
        self.next = receipt.map_or(0, |seq| seq + 1);
        self.special_sent = special.is_some_and(|seq| seq >= self.next);
        Ok(())
    }

    /// Whether more may be sent before something is acknowledged.
    pub(super) fn has_room(&self) -> bool {
        self.on_the_way.len() < IN_FLIGHT
    }

    /// Whether everything that was sent has arrived.
    pub(super) fn is_idle(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// Sends what the chain holds from the next position on, up to a page. False where it holds nothing.
    pub(super) async fn send_page(&mut self) -> Result<bool, End> {
        let records = self.reader.records(self.next, PAGE).await?;
        if records.is_empty() {
            return Ok(false);
        }
        if self.has_heard_a_head() {
            self.step_behind_head().await?;
        }
        for record in records {
            // After a look at the stream another position is the next.
            if record.header.seq != self.next {
                break;
            }
            for message in self.messages(&record).await? {
                let done = message.receipt.then_some(record.header.seq);
                let ack = self.send(message, record.header.seq).await?;
                self.on_the_way.push_back(acknowledged(ack, done).boxed());
            }
            self.next = record.header.seq + 1;
            self.special_sent = false;
            while !self.has_room() {
                self.confirm().await?;
            }
        }
        Ok(true)
    }

    /// Whether the sealer has published since, as it does every second. A message that the server then refuses would be
    /// heard all the same by whoever subscribes to its subject without reading the stream, and once more later.
    fn has_heard_a_head(&mut self) -> bool {
        let mut heard = false;
        while let Some(Some(_)) = self.heads.next().now_or_never() {
            heard = true;
        }
        heard
    }

    /// Goes on behind a signed head, where nothing but that came after what we sent; looks at the stream where something
    /// did.
    async fn step_behind_head(&mut self) -> Result<(), End> {
        while !self.is_idle() {
            self.confirm().await?;
        }
        let subject = checkpoints(self.config);
        match self.out.get_last_raw_message_by_subject(&subject).await {
            Ok(head) if head.sequence <= self.last => Ok(()),
            Ok(head) if head.sequence == self.last + 1 => {
                self.last = head.sequence;
                self.behind = Behind::Number(head.sequence);
                Ok(())
            }
            Ok(_) => self.resume().await,
            Err(error) => Err(End::Waiting(error.into())),
        }
    }

    /// Waits until the first of what is on the way has arrived.
    pub(super) async fn confirm(&mut self) -> Result<(), End> {
        let Some(confirmed) = self.on_the_way.next().await.transpose()? else {
            return Ok(());
        };
        self.last = self.last.max(confirmed.number);
        if let Some(seq) = confirmed.done {
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
    async fn special(&mut self, record: &Record) -> Result<Option<String>, End> {
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

/// The subject of signed heads.
fn checkpoints(config: &Config) -> String {
    format!("ledger.{}.checkpoint", config.ledger)
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

/// The `ledgerseq` of the last message below a subject.
pub(super) async fn highest(out: &Stream, subject: &str) -> Result<Option<u64>, End> {
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

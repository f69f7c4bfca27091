//! The incoming stream from a position on, every message once and in order, with bounded memory.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use ledger::head::Head;
use schema::{LedgerName, Message};
use serde_json::json;
use tokio::time::timeout;

use crate::api::{self, Delivered};
use crate::checks::{self, Place, PlaceError};
use crate::headers;
use crate::link::Link;
use crate::nats::{Nats, NatsError, warn_of_old_server};
use crate::wire::Frame;

/// How many messages are asked for at a time.
const PULL_MESSAGES: usize = 2000;
/// How many bytes are asked for at a time. Three times that is the most that waits here: two pulls in
/// flight and a queue that was not yet full when they were sent.
const PULL_BYTES: usize = 4 << 20;
/// The first of the subscriptions that messages come to, one for each pull in flight.
const FIRST_SID: u64 = 10;
const PULLS: u64 = 2;
/// A server that is there says so this often.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A message, and what to publish to once it and all before it are committed.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub message: Message,
    pub ack: Bytes,
    pub bytes: usize,
}

/// One of the pulls. Each has a subscription of its own and a number, so that what ends one is not mistaken
/// for the end of another.
#[derive(Debug, Default)]
struct Pull {
    number: u64,
    /// How many messages it may still bring; 0 when it is over.
    left: usize,
    brought: bool,
    /// The next one asks for a single message of any size, because this one ended before a larger one.
    next_is_single: bool,
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// Start again from the head.
    #[error("the consumer of stream {stream} must be made again: {why}")]
    Again { stream: String, why: String },
}

/// An open incoming stream.
#[derive(Debug)]
pub(crate) struct Source {
    link: Link,
    name: String,
    /// Where it was opened.
    pub place: Place,
    request: String,
    next: u64,
    pulls: Vec<Pull>,
    queue: VecDeque<Arrived>,
    queued_bytes: usize,
    /// How many messages followed the last one that came.
    pub pending: u64,
}

impl Source {
    /// Connects, checks the stream against the head, and begins with the message after the head.
    pub async fn open(nats: &Nats, ledger: &LedgerName, head: &Head) -> Result<Self, SourceError> {
        let mut link = Link::connect(nats, "ingest").await?;
        warn_of_old_server(&link.info.version);
        let name = ledger.stream_in();
        let place = checks::place(&mut link, &name, head).await?;
        let consumer = api::create_consumer(&mut link, &name, place.next).await?;
        for at in 0..PULLS {
            let subject = format!("{}.p{at}.*", link.inbox());
            link.subscribe(&subject, FIRST_SID + at);
        }
        let waiting = place.last_seq.saturating_add(1);
        Ok(Self {
            link,
            request: format!("$JS.API.CONSUMER.MSG.NEXT.{name}.{consumer}"),
            name,
            next: place.next,
            pending: waiting.saturating_sub(place.next),
            place,
            pulls: (0..PULLS).map(|_| Pull::default()).collect(),
            queue: VecDeque::new(),
            queued_bytes: 0,
        })
    }

    /// Asks for more while little is waiting, and sends what was acknowledged and published.
    pub async fn advance(&mut self) -> Result<(), SourceError> {
        let hungry = self.queued_bytes < PULL_BYTES && self.queue.len() < PULL_MESSAGES;
        for at in 0..self.pulls.len() {
            if hungry {
                self.pull(at);
            }
        }
        Ok(self.link.flush().await?)
    }

    fn pull(&mut self, at: usize) {
        let Some(pull) = self.pulls.get_mut(at).filter(|pull| pull.left == 0) else {
            return;
        };
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let mut request = json!({"expires": ns(HEARTBEAT * 6), "idle_heartbeat": ns(HEARTBEAT)});
        if let Some(fields) = request.as_object_mut() {
            let batch = if pull.next_is_single {
                1
            } else {
                PULL_MESSAGES
            };
            fields.insert("batch".into(), batch.into());
            if !pull.next_is_single {
                fields.insert("max_bytes".into(), PULL_BYTES.into());
            }
            *pull = Pull {
                number: pull.number + 1,
                left: batch,
                ..Pull::default()
            };
        }
        let reply = format!("{}.p{at}.{}", self.link.inbox(), pull.number);
        let body = request.to_string();
        self.link.publish(
            self.request.as_bytes(),
            reply.as_bytes(),
            b"",
            body.as_bytes(),
        );
    }

    /// Waits for a frame, to be given to `accept`. Can be dropped while waiting without losing one.
    pub async fn next(&mut self) -> Result<Frame, SourceError> {
        if self.pulls.iter().all(|pull| pull.left == 0) {
            // Nothing was asked for while the queue is full, so nothing is missed.
            return Ok(self.link.next().await?);
        }
        match timeout(HEARTBEAT * 3, self.link.next()).await {
            Ok(frame) => Ok(frame?),
            Err(_) => Err(self.again("it was silent for 15 seconds")),
        }
    }

    /// A frame that is already here, to be given to `accept`.
    pub fn try_next(&mut self) -> Result<Option<Frame>, SourceError> {
        Ok(self.link.try_next()?)
    }

    /// Takes in a frame.
    pub async fn accept(&mut self, frame: Frame) -> Result<(), SourceError> {
        let at = usize::try_from(frame.sid.wrapping_sub(FIRST_SID)).unwrap_or(usize::MAX);
        let Some(pull) = self.pulls.get_mut(at) else {
            return Ok(());
        };
        let Some(delivered) = api::delivered(&frame.reply) else {
            return self.status(at, &frame);
        };
        pull.left = pull.left.saturating_sub(1);
        pull.brought = true;
        self.pending = delivered.pending;
        if delivered.stream_seq < self.next {
            // Delivered again because the acknowledgement took long. It is here already.
            return Ok(());
        }
        if delivered.stream_seq > self.next {
            self.confirm_gap(delivered).await?;
        }
        self.next = delivered.stream_seq + 1;
        let bytes = frame.subject.len() + frame.headers.len() + frame.payload.len();
        self.queued_bytes += bytes;
        self.queue.push_back(Arrived {
            message: Message {
                nats_subject: String::from_utf8_lossy(&frame.subject).into_owned(),
                headers: headers::parse(&frame.headers).fields,
                body: frame.payload,
                stream_seq: delivered.stream_seq,
                time_us: delivered.time_us,
            },
            ack: frame.reply,
            bytes,
        });
        Ok(())
    }

    /// A gap will be in the chain for ever, so the stream itself is asked whether the numbers are really gone.
    async fn confirm_gap(&mut self, delivered: Delivered) -> Result<(), SourceError> {
        let found = api::message_from(&mut self.link, &self.name, self.next).await?;
        let found = found.map(|stored| stored.message.stream_seq);
        // A message that was deleted since it was delivered leaves a later one, or none.
        if found.is_some_and(|seq| seq < delivered.stream_seq) {
            return Err(self.again(&format!(
                "message {} was left out before {}",
                found.unwrap_or_default(),
                delivered.stream_seq
            )));
        }
        Ok(())
    }

    /// What the server says of a pull.
    fn status(&mut self, at: usize, frame: &Frame) -> Result<(), SourceError> {
        let status = headers::parse(&frame.headers).status;
        let line = frame.headers.split(|byte| *byte == b'\r').next();
        let text = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
        let number = frame.subject.rsplit(|byte| *byte == b'.').next();
        let Some(pull) = self.pulls.get_mut(at) else {
            return Ok(());
        };
        if number != Some(pull.number.to_string().as_bytes()) {
            return Ok(());
        }
        match status {
            100 => {}
            404 | 408 => pull.left = 0,
            409 if text.contains("MaxBytes") => {
                pull.next_is_single = !pull.brought;
                pull.left = 0;
            }
            409 if text.contains("Batch Completed") || text.contains("MaxWaiting") => pull.left = 0,
            _ => return Err(self.again(&text)),
        }
        Ok(())
    }

    /// The error after which everything begins again at the head.
    pub fn again(&self, why: &str) -> SourceError {
        SourceError::Again {
            stream: self.name.clone(),
            why: why.to_owned(),
        }
    }

    /// The next message that is here.
    pub fn pop(&mut self) -> Option<Arrived> {
        let arrived = self.queue.pop_front()?;
        self.queued_bytes -= arrived.bytes;
        Some(arrived)
    }

    /// Acknowledges everything up to a message. Sent by `advance`.
    pub fn acknowledge(&mut self, ack: &[u8]) {
        self.link.publish(ack, b"", b"", b"+ACK");
    }

    /// Publishes without an answer. Sent by `advance`.
    pub fn tell(&mut self, subject: &str) {
        self.link.publish(subject.as_bytes(), b"", b"", b"");
    }
}

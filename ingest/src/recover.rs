//! Going on after the incoming stream lost its end: what was not read is copied into a new stream that begins
//! by saying which one it continues.
//!
//! Every step can be done again, so that a recovery which was interrupted is finished by starting it again:
//! 1. the old stream takes no more messages (publishers spool);
//! 2. what was not read of it is copied into `LEDGER-<ledger>-KEPT`;
//! 3. the old stream is deleted, and one of the same name made, whose first message is
//!    `ledger.stream.continued`;
//! 4. what was kept goes into it, and out of the keeping stream once it is there.
//!
//! A successor log begins in the same way, with other first messages: `ledger.chain.succeeded` and its catalog.

mod outgoing;
mod successor;

pub use outgoing::{message_time, retire_outgoing};
pub use successor::{Succeeded, Succession, is_succeeded, succeed};

use bytes::Bytes;
use ledger::head::Head;
use schema::LedgerName;
use serde_json::{Value, json};

use crate::api::{self, Stored, StreamInfo};
use crate::checks::{self, CONTINUED, Continued, PlaceError};
use crate::headers;
use crate::link::Link;
use crate::nats::{Connection, Nats, NatsError};
use crate::streams::{self, StreamError, StreamSettings};

/// How many messages are copied between two answers.
const CHUNK: usize = 256;
/// How many bytes of bodies are copied between two answers, give or take one message.
const CHUNK_BYTES: usize = 8 << 20;

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The stream that was read before.
    pub from: String,
    /// The last number that was read of it.
    pub last: u64,
    /// The stream that goes on.
    pub to: String,
    /// How many messages were copied into it.
    pub copied: u64,
}

/// Why a recovery did not finish. It can be started again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A stream is another's, or NATS is away or unwilling.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The stream is as the head knows it.
    #[error("stream {0} holds what the ledger was read from: there is nothing to recover")]
    Intact(String),
    /// Nothing was ever read, so there is nothing to continue.
    #[error("the ledger has read nothing yet: `ledger serve` reads whatever stream there is")]
    Unread,
    /// The server did not take a copy.
    #[error("stream {stream} did not take a copy: {answer}")]
    Copy {
        /// The stream.
        stream: String,
        /// What the server said.
        answer: String,
    },
}

impl From<NatsError> for RecoverError {
    fn from(error: NatsError) -> Self {
        Self::Stream(error.into())
    }
}

/// Makes a stream that continues where `head` stands.
///
/// What was not read is what is numbered above the head, and what was stored after the head's message under
/// numbers that the server gave again. Copies keep subject, body and headers, except `Nats-…` headers: those
/// asked something of the stream that the original was sent to.
pub async fn copy_stream(
    nats: &Nats,
    ledger: &LedgerName,
    head: &Head,
    settings: &StreamSettings,
) -> Result<Recovered, RecoverError> {
    if head.stream.is_empty() {
        return Err(RecoverError::Unread);
    }
    let mut recovery = Recovery::new(nats, ledger, head).await?;
    if !recovery.is_begun().await? {
        recovery.keep().await?;
        let first = recovery.continued();
        recovery.begin(&head.origin, settings, vec![first]).await?;
    } else if !recovery.takes_all().await? {
        let all = vec![format!("ledger.{ledger}.ingest.>")];
        streams::set_subjects(&recovery.connection.js, &recovery.live, all).await?;
    }
    let Given { copied, .. } = recovery.give_back(|_| true).await?;
    let to = streams::identity(&recovery.connection, &recovery.live).await?;
    Ok(Recovered {
        from: head.stream.clone(),
        last: head.stream_seq,
        to: to.unwrap_or_default(),
        copied,
    })
}

struct Recovery<'a> {
    connection: Connection,
    link: Link,
    live: String,
    kept: String,
    ledger: &'a LedgerName,
    head: &'a Head,
}

impl<'a> Recovery<'a> {
    async fn new(
        nats: &Nats,
        ledger: &'a LedgerName,
        head: &'a Head,
    ) -> Result<Self, RecoverError> {
        Ok(Self {
            connection: nats.connect("recover").await?,
            link: Link::connect(nats, "recover").await?,
            live: ledger.stream_in(),
            kept: format!("{}-KEPT", ledger.stream_in()),
            ledger,
            head,
        })
    }

    /// Whether the new stream is there already, so that only copies may be missing.
    async fn is_begun(&mut self) -> Result<bool, RecoverError> {
        match checks::place(&mut self.link, &self.live, self.head).await {
            Ok(place) if place.identity == self.head.stream => {
                let name = self.live.clone();
                Err(RecoverError::Intact(name))
            }
            Ok(_) => Ok(true),
            Err(PlaceError::Lost(_)) => Ok(false),
            Err(PlaceError::Nats(error)) => Err(error.into()),
        }
    }

    /// Steps 1 and 2.
    async fn keep(&mut self) -> Result<(), RecoverError> {
        let Some(info) = api::stream_info(&mut self.link, &self.live).await? else {
            return Ok(());
        };
        let retired = format!("ledger.{}.retired.>", self.ledger);
        streams::set_subjects(&self.connection.js, &self.live, vec![retired]).await?;
        let subjects = vec![format!("ledger.{}.kept.>", self.ledger)];
        streams::create_keeping(&self.connection.js, &self.kept, subjects).await?;
        let mut next = self.first_unread(&info).await?;
        loop {
            let page = self.page(&self.live.clone(), next).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            next = last.message.stream_seq + 1;
            let batch: Vec<_> = page
                .iter()
                .map(|one| self.copy(one, "ingest", "kept", &info.identity))
                .collect();
            self.publish(&batch, &self.kept.clone()).await?;
        }
    }

    /// The number of the first message that was not read.
    async fn first_unread(&mut self, info: &StreamInfo) -> Result<u64, RecoverError> {
        if info.identity != self.head.stream {
            return Ok(info.first_seq);
        }
        // Times rise with the numbers, so the first one stored after the head's message is found by halves.
        let (mut low, mut high) = (info.first_seq, self.head.stream_seq.min(info.last_seq) + 1);
        while low < high {
            let middle = low.midpoint(high);
            let found = api::message_from(&mut self.link, &self.live, middle).await?;
            match found {
                Some(found) if found.message.time_us <= self.head.message_us => {
                    low = found.message.stream_seq + 1;
                }
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// Step 3: the new stream takes these messages first, in this order, and only then any other.
    async fn begin(
        &mut self,
        origin: &str,
        settings: &StreamSettings,
        first: Vec<(String, Bytes)>,
    ) -> Result<(), RecoverError> {
        let js = &self.connection.js;
        streams::delete(js, &self.live).await?;
        let mut subjects: Vec<_> = first.iter().map(|(subject, _)| subject.clone()).collect();
        subjects.sort();
        subjects.dedup();
        streams::create_incoming(js, self.ledger, origin, settings, subjects).await?;
        for (at, (subject, body)) in first.into_iter().enumerate() {
            let headers = format!("NATS/1.0\r\nNats-Expected-Last-Sequence: {at}\r\n\r\n");
            let message = (subject.into(), headers.into_bytes(), body);
            self.publish(&[message], &self.live.clone()).await?;
        }
        let all = vec![format!("ledger.{}.ingest.>", self.ledger)];
        streams::set_subjects(&self.connection.js, &self.live, all).await?;
        Ok(())
    }

    /// The message that continues the head's stream.
    fn continued(&self) -> (String, Bytes) {
        let data = Continued {
            stream: self.head.stream.clone(),
            last: self.head.stream_seq,
        };
        let event = json!({
            "specversion": "1.0", "type": CONTINUED, "source": self.ledger.source(),
            "id": format!("continued/{}/{}", data.stream, data.last),
            "subject": self.live, "data": data,
        });
        let subject = format!("ledger.{}.ingest.ledger.{CONTINUED}", self.ledger);
        (subject, event.to_string().into())
    }

    /// Step 4. `takes` says by what follows `kept.` in its subject whether a message goes into the new stream.
    async fn give_back(&mut self, takes: impl Fn(&str) -> bool) -> Result<Given, RecoverError> {
        let mut given = Given::default();
        let Some(info) = api::stream_info(&mut self.link, &self.kept).await? else {
            return Ok(given);
        };
        let mut next = info.first_seq;
        let kept = format!("ledger.{}.kept.", self.ledger);
        let ours = |one: &&Stored| {
            let subject = one.message.nats_subject.strip_prefix(&kept);
            takes(subject.unwrap_or_default())
        };
        loop {
            let page = self.page(&self.kept.clone(), next).await?;
            let Some(last) = page.last() else {
                break;
            };
            next = last.message.stream_seq + 1;
            let batch: Vec<_> = page
                .iter()
                .filter(ours)
                .map(|one| self.copy(one, "kept", "ingest", &info.identity))
                .collect();
            self.publish(&batch, &self.live.clone()).await?;
            let (all, some) = (page.len(), batch.len());
            given.copied += u64::try_from(some).unwrap_or(u64::MAX);
            given.left_out += u64::try_from(all - some).unwrap_or(u64::MAX);
            streams::purge_below(&self.connection.js, &self.kept, next).await?;
        }
        streams::delete(&self.connection.js, &self.kept).await?;
        Ok(given)
    }

    /// Messages in order, from a number on; none at the end.
    async fn page(&mut self, stream: &str, from: u64) -> Result<Vec<Stored>, RecoverError> {
        let (mut page, mut next, mut bytes) = (Vec::new(), from, 0);
        while page.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(found) = api::message_from(&mut self.link, stream, next).await? else {
                break;
            };
            next = found.message.stream_seq + 1;
            bytes += found.message.body.len();
            page.push(found);
        }
        Ok(page)
    }

    /// The copy of a message below another subject. Its `Nats-Msg-Id` lets a step be repeated, but where the message would
    /// be too large with it: then it may come twice, which the ledger sees.
    fn copy(&self, one: &Stored, from: &str, to: &str, identity: &str) -> Message {
        let message = &one.message;
        let from = format!("ledger.{}.{from}.", self.ledger);
        let rest = message.nats_subject.strip_prefix(&from);
        let rest = rest.unwrap_or(&message.nats_subject);
        let subject = format!("ledger.{}.{to}.{rest}", self.ledger);
        let id = format!("Nats-Msg-Id: {identity}/{}\r\n", message.stream_seq);
        let rest = headers::without_requests(&one.headers);
        let end: &[u8] = if rest.is_empty() { b"\r\n" } else { &rest };
        let named = [b"NATS/1.0\r\n", id.as_bytes(), end].concat();
        let block = if named.len() + message.body.len() <= self.link.info.max_payload {
            named
        } else if rest.is_empty() {
            Vec::new()
        } else {
            [b"NATS/1.0\r\n", rest.as_slice()].concat()
        };
        (subject.into(), block, message.body.clone())
    }

    async fn publish(&mut self, copies: &[Message], stream: &str) -> Result<(), RecoverError> {
        for answer in self.link.request_all(copies).await? {
            let value: Value = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
            if value.get("stream").and_then(Value::as_str) != Some(stream)
                || value.get("error").is_some()
            {
                let answer = String::from_utf8_lossy(&answer.payload).into_owned();
                let stream = stream.to_owned();
                return Err(RecoverError::Copy { stream, answer });
            }
        }
        Ok(())
    }
}

/// What was given back.
#[derive(Debug, Clone, Copy, Default)]
struct Given {
    /// How many messages went into the new stream.
    copied: u64,
    /// How many did not.
    left_out: u64,
}

/// Subject, header block and body.
type Message = (Bytes, Vec<u8>, Bytes);

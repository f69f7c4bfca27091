//! Publishing: many messages in flight, a spool when NATS is away, and waiting for the receipts.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use ledger::digest;
use ledger::words::in_full;
use schema::{EventType, LedgerName, Name};
use serde_json::Value;
use tokio::time::sleep;

use crate::follow::{Fate, Follower};
use crate::nats::{Connection, Nats, NatsError};
use crate::spool::{Spool, SpoolError};

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// The NATS subject.
    pub subject: String,
    /// The event's `source` and `id`, as far as they can be read.
    pub identity: Option<(String, String)>,
    /// The body: a `CloudEvent` in structured mode.
    pub body: Bytes,
}

impl Outbound {
    /// A message of a `CloudEvent` in JSON. What cannot be read of it is left to the ledger to judge: it goes to
    /// `…unknown.unknown.unknown` and ends in quarantine, with its bytes, instead of vanishing here.
    pub fn new(ledger: &LedgerName, publisher: &Name, body: Bytes) -> Self {
        let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let event_type = text("type").and_then(EventType::parse);
        let words =
            event_type.map_or_else(|| "unknown.unknown.unknown".into(), |t| t.unversioned());
        let identity = text("source").zip(text("id"));
        Self {
            subject: format!("ledger.{ledger}.ingest.{publisher}.{words}"),
            identity: identity.map(|(source, id)| (source.to_owned(), id.to_owned())),
            body,
        }
    }

    /// The event's `id`, or nothing.
    pub fn id(&self) -> &str {
        self.identity.as_ref().map_or("", |(_, id)| id)
    }

    /// The publisher that the subject names.
    pub(crate) fn publisher(&self) -> &str {
        self.subject.split('.').nth(3).unwrap_or_default()
    }

    /// `hex(H("msg-id", …))`, for `JetStream` to drop what it has just seen.
    fn message_id(&self) -> Option<String> {
        let (source, id) = self.identity.as_ref()?;
        Some(hex::encode(digest::message_id(
            self.publisher(),
            source,
            id,
        )))
    }

    fn headers(&self, named: Named) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/cloudevents+json");
        if let (Named::Yes, Some(id)) = (named, self.message_id()) {
            headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        }
        headers
    }
}

/// Whether `JetStream` is told who the message is.
#[derive(Debug, Clone, Copy)]
enum Named {
    /// It may drop what it has just seen.
    Yes,
    /// It takes the message whatever it has seen. What it dropped by its name may have been other content, or may have
    /// been refused by the ledger: only the ledger knows what the event is.
    No,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// NATS has it, no more.
    Accepted {
        /// Its number in the stream.
        stream_seq: u64,
    },
    /// What the chain says of it.
    Settled(Fate),
    /// NATS has it and its receipt did not come in time.
    Unsettled {
        /// Its number in the stream.
        stream_seq: u64,
    },
    /// It waits on this machine until NATS is back.
    Spooled,
    /// It cannot be sent at all.
    Failed(String),
}

/// How to publish.
#[derive(Debug, Clone)]
pub struct Options {
    /// The NATS system.
    pub nats: Nats,
    /// The ledger.
    pub ledger: LedgerName,
    /// How many messages may wait for their acknowledgement.
    pub in_flight: usize,
    /// Where to keep what cannot be sent.
    pub spool: Option<PathBuf>,
    /// Whether to wait for the receipts, and for how long after the last acknowledgement.
    pub wait: Option<Duration>,
}

/// Why nothing could be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// NATS is away or unwilling, and there is no spool.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Publishes every item in order; `report` hears of each, by its place, once its status is known.
///
/// What was spooled earlier goes first. If NATS is away, or stops taking messages, the rest is spooled.
pub async fn publish(
    options: &Options,
    items: impl IntoIterator<Item = Outbound>,
    mut report: impl FnMut(usize, &Outbound, Status),
) -> Result<(), PublishError> {
    let spool = options.spool.as_ref().map(Spool::open).transpose()?;
    let mut items = items.into_iter().enumerate();
    let connection = match options.nats.connect("publish").await {
        Ok(connection) => connection,
        Err(error) if error.is_unavailable() && spool.is_some() => {
            tracing::warn!("{error}; what is to be published is spooled");
            let rest: Vec<_> = items.collect();
            return Ok(keep(spool.as_ref(), &rest, &mut report)?);
        }
        Err(error) => return Err(error.into()),
    };
    crate::nats::warn_of_old_server(&connection.client.server_info().version);
    if let Some(spool) = &spool {
        resend(options, &connection, spool).await?;
    }
    let mut sending = Sending::new(&connection, options);
    let mut unsent = Vec::new();
    let mut result = |at, item, outcome| match outcome {
        Ok(status) => report(at, &item, status),
        Err(Unsent::Refused(why)) => report(at, &item, Status::Failed(why)),
        Err(Unsent::Away(why)) => {
            if unsent.is_empty() {
                tracing::warn!("NATS does not take messages: {why}");
            }
            unsent.push((at, item));
        }
    };
    sending.send(&mut items, &mut result).await;
    if let Some(patience) = options.wait {
        sending.settle(patience, &mut result).await;
    }
    unsent.extend(items);
    if spool.is_some() && !unsent.is_empty() {
        keep(spool.as_ref(), &unsent, &mut report)?;
    } else {
        for (at, item) in unsent {
            let why = "NATS does not take messages".to_owned();
            report(at, &item, Status::Failed(why));
        }
    }
    Ok(())
}

/// Publishes one message over a connection that is open, and gives its number in the stream once NATS has it: that of the
/// first one, where it was published just before.
pub async fn one(connection: &Connection, item: &Outbound) -> Result<u64, NatsError> {
    let (subject, headers) = (item.subject.clone(), item.headers(Named::Yes));
    let untaken = |error| connection.untaken(&item.subject, error);
    let taken = connection
        .hold(async {
            let sent = connection
                .js
                .publish_with_headers(subject, headers, item.body.clone())
                .await;
            sent.map_err(untaken)?.await.map_err(untaken)
        })
        .await??;
    Ok(taken.sequence)
}

/// Spools what could not be sent.
fn keep(
    spool: Option<&Spool>,
    items: &[(usize, Outbound)],
    report: &mut impl FnMut(usize, &Outbound, Status),
) -> Result<(), SpoolError> {
    if let Some(spool) = spool {
        spool.keep(items.iter().map(|(_, item)| item))?;
    }
    for (at, item) in items {
        report(*at, item, Status::Spooled);
    }
    Ok(())
}

/// Sends what was spooled, oldest first, and removes it once its receipts have come. What is not settled in
/// time stays and is sent again another time; the ledger records a repetition as a duplicate.
async fn resend(
    options: &Options,
    connection: &Connection,
    spool: &Spool,
) -> Result<(), PublishError> {
    let Some(held) = spool.lock()? else {
        tracing::info!("another process is sending the spool");
        return Ok(());
    };
    let patience = options.wait.unwrap_or(Duration::from_secs(5));
    let options = Options {
        wait: Some(patience),
        ..options.clone()
    };
    for segment in held.segments()? {
        let items = held.read(&segment)?;
        let total = items.len();
        let (mut settled, mut refused) = (0, Vec::new());
        let mut result = |_, item, outcome| match outcome {
            Ok(Status::Settled(_)) => settled += 1,
            Err(Unsent::Refused(why)) => refused.push((item, why)),
            Ok(_) | Err(Unsent::Away(_)) => {}
        };
        let mut sending = Sending::new(connection, &options);
        sending
            .send(&mut items.into_iter().enumerate(), &mut result)
            .await;
        sending.settle(patience, &mut result).await;
        if settled + refused.len() < total {
            tracing::warn!(
                "{settled} of {total} spooled messages have their receipt; all are kept"
            );
            return Ok(());
        }
        for (item, why) in &refused {
            tracing::error!(
                id = item.id(),
                "spooled message {} cannot be sent: {why}",
                item.id()
            );
        }
        held.finish(&segment, refused.iter().map(|(item, _)| item))?;
        tracing::info!("{settled} spooled messages are in the ledger");
    }
    Ok(())
}

/// Why a message was not accepted.
enum Unsent {
    /// Later, perhaps.
    Away(String),
    /// Never, as it is.
    Refused(String),
}

/// Hears of each message, once.
trait Hears: FnMut(usize, Outbound, Result<Status, Unsent>) {}
impl<F: FnMut(usize, Outbound, Result<Status, Unsent>)> Hears for F {}

/// Sends with a number of acknowledgements outstanding, and listens to the receipts where they are wanted.
struct Sending<'a> {
    connection: &'a Connection,
    in_flight: usize,
    follower: Option<Follower>,
}

impl<'a> Sending<'a> {
    fn new(connection: &'a Connection, options: &Options) -> Self {
        let follower = options
            .wait
            .map(|_| Follower::new(connection, &options.ledger));
        Self {
            connection,
            in_flight: options.in_flight.max(1),
            follower,
        }
    }

    /// Sends in order. Ends early, with items left over, when NATS stops taking messages.
    async fn send(
        &mut self,
        items: &mut impl Iterator<Item = (usize, Outbound)>,
        result: &mut impl Hears,
    ) {
        let mut acks = FuturesOrdered::new();
        let mut open = true;
        loop {
            while open && acks.len() < self.in_flight {
                let Some((at, item)) = items.next() else {
                    break;
                };
                match self.begin(&item, Named::Yes).await {
                    Ok(ack) => acks.push_back(finish(at, item, ack)),
                    Err(why) => {
                        open = matches!(why, Unsent::Refused(_));
                        result(at, item, Err(why));
                    }
                }
            }
            let next = tokio::select! {
                next = acks.next() => next,
                receipt = next_receipt(&mut self.follower) => {
                    self.tell(&receipt, true, result);
                    continue;
                }
                () = self.connection.lost(), if open => {
                    // What is in flight has an unknown outcome: let it fail, and send no more.
                    open = false;
                    continue;
                }
            };
            let Some((at, item, outcome)) = next else {
                return;
            };
            open &= !matches!(outcome, Err(Unsent::Away(_)));
            match (outcome, &mut self.follower) {
                (Err(why), _) => result(at, item, Err(why)),
                (Ok(ack), _) if ack.duplicate => match self.begin(&item, Named::No).await {
                    Ok(ack) => acks.push_back(finish(at, item, ack)),
                    Err(why) => result(at, item, Err(why)),
                },
                (Ok(ack), None) => {
                    let stream_seq = ack.sequence;
                    result(at, item, Ok(Status::Accepted { stream_seq }));
                }
                (Ok(ack), Some(follower)) => {
                    if let Some((at, item, fate)) = follower.expect(at, item, &ack) {
                        result(at, item, Ok(Status::Settled(fate)));
                    }
                }
            }
        }
    }

    /// Waits for the receipts that have not come.
    async fn settle(mut self, patience: Duration, result: &mut impl Hears) {
        // Not a moment to wait until: there is none that is as late as somebody may have patience for.
        let mut patience = pin!(sleep(patience));
        while self
            .follower
            .as_ref()
            .is_some_and(|follower| follower.waiting() > 0)
        {
            let receipt = tokio::select! {
                biased;
                receipt = next_receipt(&mut self.follower) => receipt,
                () = &mut patience => break,
                () = self.connection.lost() => break,
            };
            self.tell(&receipt, false, result);
        }
        for (at, item, stream_seq) in self.follower.map(Follower::rest).unwrap_or_default() {
            result(at, item, Ok(Status::Unsettled { stream_seq }));
        }
    }

    fn tell(&mut self, receipt: &Message, outstanding: bool, result: &mut impl Hears) {
        let follower = self.follower.as_mut();
        let told = follower.and_then(|follower| follower.tell(receipt, outstanding));
        if let Some((at, item, fate)) = told {
            result(at, item, Ok(Status::Settled(fate)));
        }
    }

    async fn begin(&mut self, item: &Outbound, named: Named) -> Result<PublishAckFuture, Unsent> {
        if let Some(follower) = &mut self.follower {
            let listening = follower.listen(item.publisher()).await;
            listening.map_err(|error| Unsent::Away(in_full(&error)))?;
        }
        let (headers, body) = (item.headers(named), item.body.clone());
        let js = &self.connection.js;
        let sent = js
            .publish_with_headers(item.subject.clone(), headers, body)
            .await;
        sent.map_err(|error| unsent(error.kind(), &error))
    }
}

async fn next_receipt(follower: &mut Option<Follower>) -> Message {
    match follower {
        Some(follower) => follower.next().await,
        None => std::future::pending().await,
    }
}

/// A message by its place, and what NATS answered.
async fn finish(
    at: usize,
    item: Outbound,
    ack: PublishAckFuture,
) -> (usize, Outbound, Result<PublishAck, Unsent>) {
    let answer = ack.await.map_err(|error| unsent(error.kind(), &error));
    (at, item, answer)
}

fn unsent(kind: PublishErrorKind, error: &(dyn std::error::Error + 'static)) -> Unsent {
    let why = in_full(error);
    match kind {
        PublishErrorKind::MaxPayloadExceeded => Unsent::Refused(why),
        _ => Unsent::Away(why),
    }
}

//! Publishing: many messages in flight, a spool when NATS is away, and waiting for the receipts.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use ledger::digest;
use schema::{EventType, LedgerName, Name};
use serde_json::Value;

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

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/cloudevents+json");
        if let Some(id) = self.message_id() {
            headers.insert(async_nats::header::NATS_MESSAGE_ID, id);
        }
        headers
    }
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
    let mut follower = match options.wait {
        Some(_) => Some(Follower::new(&connection, &options.ledger).await?),
        None => None,
    };
    let mut unsent = Vec::new();
    send(
        &connection,
        options.in_flight,
        &mut items,
        |at, item, result| match result {
            Ok(ack) => match &mut follower {
                Some(follower) => follower.expect(at, item, &ack),
                None => report(
                    at,
                    &item,
                    Status::Accepted {
                        stream_seq: ack.sequence,
                    },
                ),
            },
            Err(Unsent::Refused(why)) => report(at, &item, Status::Failed(why)),
            Err(Unsent::Away(why)) => {
                if unsent.is_empty() {
                    tracing::warn!("NATS does not take messages: {why}");
                }
                unsent.push((at, item));
            }
        },
    )
    .await;
    unsent.extend(items);
    let away = !unsent.is_empty();
    if away && spool.is_none() {
        for (at, item) in unsent {
            report(
                at,
                &item,
                Status::Failed("NATS does not take messages".into()),
            );
        }
    } else if away {
        keep(spool.as_ref(), &unsent, &mut report)?;
    }
    if let (Some(follower), Some(patience)) = (follower, options.wait) {
        follower.settle(patience, &mut report).await;
    }
    Ok(())
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
    for segment in held.segments()? {
        let items = held.read(&segment)?;
        let total = items.len();
        let mut follower = Follower::new(connection, &options.ledger).await?;
        let mut complete = true;
        let mut items = items.into_iter().enumerate();
        send(
            connection,
            options.in_flight,
            &mut items,
            |at, item, result| match result {
                Ok(ack) => follower.expect(at, item, &ack),
                Err(Unsent::Away(_) | Unsent::Refused(_)) => complete = false,
            },
        )
        .await;
        let mut settled = 0;
        let patience = options.wait.unwrap_or(Duration::from_secs(5));
        follower
            .settle(patience, &mut |_, _: &Outbound, status| {
                settled += usize::from(matches!(status, Status::Settled(_)));
            })
            .await;
        if !complete || settled < total {
            tracing::warn!(
                "{settled} of {total} spooled messages have their receipt; all are kept"
            );
            return Ok(());
        }
        held.remove(&segment)?;
        tracing::info!("{total} spooled messages are in the ledger");
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

/// Sends with up to `in_flight` acknowledgements outstanding and hands the results over in order. Ends early,
/// with items left over, when NATS stops taking messages.
async fn send(
    connection: &Connection,
    in_flight: usize,
    items: &mut impl Iterator<Item = (usize, Outbound)>,
    mut result: impl FnMut(usize, Outbound, Result<PublishAck, Unsent>),
) {
    let mut acks = FuturesOrdered::new();
    let mut open = true;
    loop {
        while open && acks.len() < in_flight.max(1) {
            let Some((at, item)) = items.next() else {
                break;
            };
            match begin(connection, &item).await {
                Ok(ack) => acks.push_back(async move { (at, item, finish(ack).await) }),
                Err(why) => {
                    open = matches!(why, Unsent::Refused(_));
                    result(at, item, Err(why));
                }
            }
        }
        let next = tokio::select! {
            next = acks.next() => next,
            () = connection.lost(), if open => {
                // What is in flight has an unknown outcome: let it fail, and send no more.
                open = false;
                continue;
            }
        };
        let Some((at, item, outcome)) = next else {
            return;
        };
        open &= !matches!(outcome, Err(Unsent::Away(_)));
        result(at, item, outcome);
    }
}

async fn begin(connection: &Connection, item: &Outbound) -> Result<PublishAckFuture, Unsent> {
    let sent = connection
        .js
        .publish_with_headers(item.subject.clone(), item.headers(), item.body.clone())
        .await;
    sent.map_err(|error| unsent(error.kind(), &error))
}

async fn finish(ack: PublishAckFuture) -> Result<PublishAck, Unsent> {
    ack.await.map_err(|error| unsent(error.kind(), &error))
}

fn unsent(kind: PublishErrorKind, error: &(dyn std::error::Error + 'static)) -> Unsent {
    let why = crate::backoff::chain(error);
    match kind {
        PublishErrorKind::MaxPayloadExceeded => Unsent::Refused(why),
        _ => Unsent::Away(why),
    }
}

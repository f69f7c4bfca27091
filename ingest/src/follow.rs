//! Waiting for receipts: what the chain says of the messages that we published.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::jetstream::publish::PublishAck;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use schema::LedgerName;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::nats::{Connection, NatsError};
use crate::publish::{Outbound, Status};
use crate::streams;

/// What the chain says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is an event of the chain.
    Recorded {
        /// Its position.
        seq: u64,
    },
    /// The same event was there already.
    Duplicate {
        /// The position of the first one, when known.
        of: Option<u64>,
    },
    /// It was not understood.
    Quarantined {
        /// Its position.
        seq: u64,
        /// Why.
        reason: String,
    },
}

/// Listens to the receipts of a ledger. It must be there before the messages are published.
pub(crate) struct Follower {
    receipts: Subscriber,
    connection: Connection,
    /// `<stream name>@<creation>`, as far as we may ask for it.
    stream: Arc<OnceLock<String>>,
    /// Our messages by what their receipt will say.
    by_identity: HashMap<(String, String, String), Vec<u64>>,
    by_number: HashMap<u64, (usize, Outbound)>,
    /// Acknowledged as repetitions of a message whose receipt may be long past.
    repeated: Vec<(usize, Outbound)>,
}

/// What a receipt says.
#[derive(Debug, Deserialize)]
struct Receipt {
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    ledgerseq: u64,
    ledgerpublisher: String,
    #[serde(default)]
    data: Value,
}

impl Follower {
    /// Begins to listen. Needs no more rights than to subscribe to the ledger's receipts.
    pub async fn new(connection: &Connection, ledger: &LedgerName) -> Result<Self, NatsError> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
            NatsError::refused("subscribe to the receipts", error)
        };
        let receipts = connection
            .client
            .subscribe(format!("ledger.{ledger}.event.>"))
            .await
            .map_err(|error| refused(error.into()))?;
        // The subscription is in force once the server has answered something that was sent after it.
        connection
            .client
            .flush()
            .await
            .map_err(|error| refused(error.into()))?;
        // Beside the work, and never missed: a publisher may have no right to ask, and is not answered then.
        let stream = Arc::new(OnceLock::new());
        let (known, asking, name) = (stream.clone(), connection.clone(), ledger.stream_in());
        tokio::spawn(async move {
            if let Ok(Some(identity)) = streams::identity(&asking, &name).await {
                let _ = known.set(identity);
            }
        });
        Ok(Self {
            receipts,
            connection: connection.clone(),
            stream,
            by_identity: HashMap::new(),
            by_number: HashMap::new(),
            repeated: Vec::new(),
        })
    }

    /// A message was accepted, and its receipt is wanted.
    pub fn expect(&mut self, at: usize, item: Outbound, ack: &PublishAck) {
        if ack.duplicate {
            self.repeated.push((at, item));
            return;
        }
        if let Some((source, id)) = &item.identity {
            let identity = (item.publisher().to_owned(), source.clone(), id.clone());
            let numbers = self.by_identity.entry(identity).or_default();
            numbers.push(ack.sequence);
        }
        self.by_number.insert(ack.sequence, (at, item));
    }

    /// Reports every message that was expected: as soon as its receipt comes, or when `patience` is over.
    pub async fn settle(
        mut self,
        patience: Duration,
        report: &mut impl FnMut(usize, &Outbound, Status),
    ) {
        for (at, item) in self.repeated.drain(..) {
            report(at, &item, Status::Settled(Fate::Duplicate { of: None }));
        }
        let deadline = Instant::now() + patience;
        let connection = self.connection.clone();
        while !self.by_number.is_empty() {
            let receipt = tokio::select! {
                receipt = timeout_at(deadline, self.receipts.next()) => receipt.ok().flatten(),
                () = connection.lost() => None,
            };
            let Some(receipt) = receipt else {
                break;
            };
            if let Some((number, fate)) = self.fate(&receipt)
                && let Some((at, item)) = self.by_number.remove(&number)
            {
                report(at, &item, Status::Settled(fate));
            }
        }
        let mut rest: Vec<_> = self.by_number.into_iter().collect();
        rest.sort_by_key(|(_, (at, _))| *at);
        for (stream_seq, (at, item)) in rest {
            report(at, &item, Status::Unsettled { stream_seq });
        }
    }

    /// Which of our messages a receipt is for, by its number in the stream, and what it says.
    fn fate(&mut self, message: &Message) -> Option<(u64, Fate)> {
        let receipt: Receipt = serde_json::from_slice(&message.payload).ok()?;
        let seq = receipt.ledgerseq;
        let event_type = receipt.event_type.as_str();
        if matches!(
            event_type,
            "ledger.event.duplicate" | "ledger.event.quarantined"
        ) {
            // Their id is `<stream>/<number>`.
            let (stream, number) = receipt.id.rsplit_once('/')?;
            if self.stream.get().is_some_and(|ours| ours != stream) {
                return None;
            }
            let word = |name: &str| receipt.data.get(name).cloned();
            let fate = if event_type == "ledger.event.duplicate" {
                let of = word("of").and_then(|of| of.as_u64());
                Fate::Duplicate { of }
            } else {
                let reason = word("reason").and_then(|reason| Some(reason.as_str()?.to_owned()));
                let reason = reason.unwrap_or_default();
                Fate::Quarantined { seq, reason }
            };
            return Some((number.parse().ok()?, fate));
        }
        let identity = (receipt.ledgerpublisher, receipt.source, receipt.id);
        let numbers = self.by_identity.get_mut(&identity)?;
        // Of the same event published twice the first is recorded; the others are duplicates, found by number.
        let first = numbers
            .iter()
            .position(|number| self.by_number.contains_key(number))?;
        Some((numbers.remove(first), Fate::Recorded { seq }))
    }
}

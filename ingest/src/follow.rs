//! Waiting for receipts: what the chain says of the messages that we published.

use std::collections::{HashMap, HashSet, VecDeque};

use async_nats::jetstream::publish::PublishAck;
use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use schema::LedgerName;
use serde::Deserialize;
use serde_json::Value;

use crate::nats::{Connection, NatsError};
use crate::publish::Outbound;

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
        /// The position of the first one.
        of: Option<u64>,
    },
    /// It was not understood.
    Quarantined {
        /// Its position.
        seq: u64,
        /// Why.
        reason: String,
        /// Where: an attribute's name, a JSON pointer, or empty.
        at: String,
    },
}

/// A message by its place, and its fate.
pub(crate) type Told = (usize, Outbound, Fate);

/// Publisher, source and id.
type Identity = (String, String, String);

/// Listens to the receipts of the publishers whose messages are sent.
pub(crate) struct Follower {
    receipts: SelectAll<Subscriber>,
    heard: HashSet<String>,
    ledger: LedgerName,
    connection: Connection,
    /// The numbers of our messages that wait, in the order of their acknowledgements.
    by_identity: HashMap<Identity, VecDeque<u64>>,
    by_number: HashMap<u64, (usize, Outbound)>,
    /// Receipts that came before the acknowledgement of their message, or that are not for us.
    early: HashMap<Key, Fate>,
}

/// By what a receipt says which message it is for.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Number(u64),
    Identity(Identity),
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
    /// Listens to nothing yet.
    pub fn new(connection: &Connection, ledger: &LedgerName) -> Self {
        Self {
            receipts: SelectAll::new(),
            heard: HashSet::new(),
            ledger: ledger.clone(),
            connection: connection.clone(),
            by_identity: HashMap::new(),
            by_number: HashMap::new(),
            early: HashMap::new(),
        }
    }

    /// Listens to a publisher's receipts, which needs no other right than to subscribe to them. The server
    /// takes up what comes over one connection in order, so it listens before it publishes.
    pub async fn listen(&mut self, publisher: &str) -> Result<(), NatsError> {
        if self.heard.insert(publisher.to_owned()) {
            let subject = format!("ledger.{}.event.{publisher}.>", self.ledger);
            let receipts = self.connection.client.subscribe(subject).await;
            let receipts =
                receipts.map_err(|error| NatsError::refused("subscribe to the receipts", error))?;
            self.receipts.push(receipts);
        }
        Ok(())
    }

    /// A message was accepted: its fate, if it is known already.
    pub fn expect(&mut self, at: usize, item: Outbound, ack: &PublishAck) -> Option<Told> {
        if let Some(fate) = self.early.remove(&Key::Number(ack.sequence)) {
            return Some((at, item, fate));
        }
        if let Some((source, id)) = &item.identity {
            let identity = (item.publisher().to_owned(), source.clone(), id.clone());
            if let Some(fate) = self.early.remove(&Key::Identity(identity.clone())) {
                return Some((at, item, fate));
            }
            let numbers = self.by_identity.entry(identity).or_default();
            numbers.push_back(ack.sequence);
        }
        self.by_number.insert(ack.sequence, (at, item));
        None
    }

    /// How many wait for their receipt.
    pub fn waiting(&self) -> usize {
        self.by_number.len()
    }

    /// Waits for a receipt, to be given to `tell`; for ever where nothing is listened to. Can be dropped while
    /// waiting.
    pub async fn next(&mut self) -> Message {
        match self.receipts.next().await {
            Some(receipt) => receipt,
            None => std::future::pending().await,
        }
    }

    /// The message of ours that a receipt is for. While acknowledgements are `outstanding`, the others are kept
    /// for the messages that are not known yet.
    pub fn tell(&mut self, receipt: &Message, outstanding: bool) -> Option<Told> {
        let (key, fate) = read(receipt)?;
        let number = match &key {
            Key::Number(number) => Some(*number),
            Key::Identity(identity) => self.first_of(identity),
        };
        let ours = number.and_then(|number| self.by_number.remove(&number));
        if let Some((at, item)) = ours {
            return Some((at, item, fate));
        }
        if outstanding {
            self.early.insert(key, fate);
        } else {
            self.early.clear();
        }
        None
    }

    /// Of the same event published twice the first is recorded; the others are duplicates, told by number.
    fn first_of(&mut self, identity: &Identity) -> Option<u64> {
        let numbers = self.by_identity.get_mut(identity)?;
        let number = numbers.pop_front();
        if numbers.is_empty() {
            self.by_identity.remove(identity);
        }
        number
    }

    /// What still waits, in order, with its number in the stream.
    pub fn rest(self) -> Vec<(usize, Outbound, u64)> {
        let mut rest: Vec<_> = self
            .by_number
            .into_iter()
            .map(|(number, (at, item))| (at, item, number))
            .collect();
        rest.sort_by_key(|(at, ..)| *at);
        rest
    }
}

fn read(message: &Message) -> Option<(Key, Fate)> {
    let receipt: Receipt = serde_json::from_slice(&message.payload).ok()?;
    let seq = receipt.ledgerseq;
    let fate = match receipt.event_type.as_str() {
        "ledger.event.duplicate" => Fate::Duplicate {
            of: receipt.data.get("of").and_then(Value::as_u64),
        },
        "ledger.event.quarantined" => {
            let text = |name: &str| {
                let text = receipt.data.get(name).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            let (reason, at) = (text("reason"), text("at"));
            Fate::Quarantined { seq, reason, at }
        }
        _ => {
            let identity = (receipt.ledgerpublisher, receipt.source, receipt.id);
            return Some((Key::Identity(identity), Fate::Recorded { seq }));
        }
    };
    // The id of these two is `<stream>/<number>`.
    let (_, number) = receipt.id.rsplit_once('/')?;
    Some((Key::Number(number.parse().ok()?), fate))
}

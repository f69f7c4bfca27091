//! Publishes what was derived by the front door, until it is seen in the chain.
//!
//! JetStream's acknowledgement is not enough: it says that NATS has the message, no more. So each message stays
//! in the outbox until the fold has seen it, and is sent again when that takes long, ever more rarely. Sending
//! twice does no harm: the bytes are the same, so the second is a duplicate. What the door has refused is not
//! sent again (`refused`).

mod refused;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use ledger::db::Database;
use ledger::outage::Rounds;
use ledger::read::{ReadError, Reader};
use schema::LedgerName;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_postgres::types::ToSql;

use refused::Door;
pub use refused::{Refused, refused};

use crate::metrics::Metrics;
use crate::send::{SendError, send};
use crate::verdict::Outgoing;

/// Half of what is waited first before a server is tried again.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// How long a message may take from NATS into the chain before it is sent again; doubled each time.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the outbox is read while what is new in it is heard of in this process.
const LOOK: Duration = Duration::from_secs(1);
/// How long a message may take before the door's refusals are looked through for it, and how often they are then.
const DOUBT: Duration = Duration::from_secs(1);
/// How many messages were sent, as far as is known, when those that are gone are forgotten.
const MANY: usize = 4000;
/// How many doublings there are at most: about an hour and a half between two attempts.
const MOST_DOUBLINGS: u32 = 10;

/// Publishes until `stop` is true, through outages of NATS and of the database. `js` is a connection as
/// publisher `ledger`. Where nobody rings at [`Metrics::new_in_outbox`] it looks every `poll`.
///
/// The only error that ends it is a database that is there and refuses.
pub async fn run(
    db: &Database,
    ledger: &LedgerName,
    js: &jetstream::Context,
    metrics: Arc<Metrics>,
    poll: Duration,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ReadError> {
    // It is in the outbox, and may have been published long ago.
    metrics.take_fresh();
    let mut publisher = Publisher::new(db, ledger, js, &metrics);
    let what = format!("publishing the verdicts of ledger {ledger}");
    let outage = &metrics.outbox_outage;
    let mut rounds = Rounds::new(what, outage, &metrics.outages, FIRST_WAIT);
    while !*stop.borrow() {
        let round = publisher.round().await.map(|()| poll);
        let pause = rounds.after(round, SendError::refusal)?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = metrics.new_in_outbox.notified() => {}
            ended = stop.changed() => if ended.is_err() { return Ok(()) },
        }
    }
    Ok(())
}

/// When a message was last sent, and how often.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    times: u32,
}

impl Sent {
    fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.at) >= PATIENCE * 2_u32.pow((self.times - 1).min(MOST_DOUBLINGS))
    }
}

struct Publisher<'a> {
    db: &'a Database,
    ledger: &'a LedgerName,
    js: &'a jetstream::Context,
    metrics: &'a Metrics,
    reader: Option<Reader>,
    sent: HashMap<String, Sent>,
    /// The identifiers of those that the door has refused, and that were said.
    refused: HashMap<String, u64>,
    /// What was read of the door's refusals, and when.
    door: Door,
    asked: Option<Instant>,
    /// When the outbox was read, and everything since then was sent.
    looked: Option<Instant>,
}

impl<'a> Publisher<'a> {
    fn new(
        db: &'a Database,
        ledger: &'a LedgerName,
        js: &'a jetstream::Context,
        metrics: &'a Metrics,
    ) -> Self {
        Self {
            db,
            ledger,
            js,
            metrics,
            reader: None,
            sent: HashMap::new(),
            refused: HashMap::new(),
            door: Door::default(),
            asked: None,
            looked: None,
        }
    }

    /// Sends what is new, and once in a while what is to be sent again.
    async fn round(&mut self) -> Result<(), SendError> {
        let mut fresh = self.metrics.take_fresh();
        // What is not read again because it is here is read where sending it fails.
        let looked = self.looked.take().filter(|at| at.elapsed() < LOOK);
        let (waiting, looked) = match looked {
            Some(at) if !fresh.is_empty() => {
                fresh.sort_by(|(at, one), (other_at, other)| {
                    (at, &one.id).cmp(&(other_at, &other.id))
                });
                (fresh.into_iter().map(|(_, one)| one).collect(), at)
            }
            _ => (self.look().await?, Instant::now()),
        };
        self.send_all(&waiting).await?;
        self.looked = Some(looked);
        Ok(())
    }

    /// Reads what lies in the outbox, but for what the door has refused.
    async fn look(&mut self) -> Result<Vec<Outgoing>, SendError> {
        let reader = self.open().await?;
        let mut waiting = self.waiting(&reader).await?;
        if self.is_in_doubt(&waiting) {
            self.mark_refused(&reader).await?;
            waiting = self.waiting(&reader).await?;
        }
        if waiting.is_empty() && self.refused.is_empty() {
            self.sent.clear();
            self.door = Door::default();
        }
        if self.sent.len() > MANY {
            let lying: HashSet<&str> = waiting.iter().map(|one| one.id.as_str()).collect();
            self.sent.retain(|id, _| lying.contains(id.as_str()));
        }
        let lying = u64::try_from(waiting.len() + self.refused.len()).unwrap_or(u64::MAX);
        Metrics::set(&self.metrics.outbox, lying);
        Ok(waiting)
    }

    /// Sends those that were not sent, or long ago.
    async fn send_all(&mut self, waiting: &[Outgoing]) -> Result<(), SendError> {
        let now = Instant::now();
        let mut acknowledgements = Vec::new();
        for message in waiting {
            if self
                .sent
                .get(&message.id)
                .is_none_or(|sent| sent.is_due(now))
            {
                let sent = send(self.js, self.ledger, message).await?;
                acknowledgements.push((message, sent));
            }
        }
        for (message, acknowledgement) in acknowledgements {
            acknowledgement
                .await
                .map_err(|source| SendError::untaken(message, source))?;
            let times = self.sent.get(&message.id).map_or(1, |sent| sent.times + 1);
            self.sent
                .insert(message.id.clone(), Sent { at: now, times });
            Metrics::add(&self.metrics.published, 1);
            if times > 2 {
                let id = &message.id;
                tracing::warn!(ledger = %self.ledger, id, times, "verdict {id} was published {times} times and is not in the chain: is ingest running?");
            }
        }
        Ok(())
    }

    /// The first page of what lies in the outbox. What is refused stays where it is; were it read again, a page of it
    /// would hide what comes after.
    async fn waiting(&self, reader: &Reader) -> Result<Vec<Outgoing>, ReadError> {
        let refused: Vec<&str> = self.refused.keys().map(String::as_str).collect();
        waiting(reader, &refused).await
    }

    /// Whether one of these may have been refused: an earlier process may have sent it, or we did a while ago.
    fn is_in_doubt(&self, waiting: &[Outgoing]) -> bool {
        let Some(asked) = self.asked else {
            return !waiting.is_empty();
        };
        let long = |one: &Outgoing| {
            let sent = self.sent.get(&one.id);
            sent.is_some_and(|sent| sent.at.elapsed() >= DOUBT)
        };
        asked.elapsed() >= DOUBT && (!self.refused.is_empty() || waiting.iter().any(long))
    }

    async fn open(&mut self) -> Result<Reader, ReadError> {
        if let Some(reader) = &self.reader {
            return Ok(reader.clone());
        }
        let reader = Reader::open(self.db, self.ledger).await?;
        self.reader = Some(reader.clone());
        Ok(reader)
    }

    /// Notes which messages the door has refused, and says so once of each.
    async fn mark_refused(&mut self, reader: &Reader) -> Result<(), ReadError> {
        let found = self.door.refused(reader).await?;
        self.asked = Some(Instant::now());
        Metrics::set(
            &self.metrics.refused,
            u64::try_from(found.len()).unwrap_or(u64::MAX),
        );
        for Refused { id, seq, reason } in &found {
            if self.refused.get(id) != Some(seq) {
                tracing::error!(
                    ledger = %self.ledger, id, seq, reason,
                    "verdict {id} was refused at position {seq} ({reason}); it is sent again when another catalog is active"
                );
            }
        }
        let found: HashMap<String, u64> = found.into_iter().map(|one| (one.id, one.seq)).collect();
        // What is no longer refused is new again.
        let was = std::mem::take(&mut self.refused);
        self.sent
            .retain(|id, _| !was.contains_key(id) || found.contains_key(id));
        self.refused = found;
        Ok(())
    }
}

/// The first page of what lies in the outbox, oldest cause first, but for these.
async fn waiting(reader: &Reader, but: &[&str]) -> Result<Vec<Outgoing>, ReadError> {
    let db = reader.database();
    let mut client = db.client().await?;
    let rows = async {
        let tx = client.transaction().await?;
        let in_order = tx.prepare_cached(include_str!("sql/in_order.sql")).await?;
        let statement = tx.prepare_cached(include_str!("sql/outbox.sql")).await?;
        let parameters: [&(dyn ToSql + Sync); 2] = [&reader.id(), &but];
        // Sent together, and carried out in this order.
        let (_, rows) =
            tokio::try_join!(tx.query(&in_order, &[]), tx.query(&statement, &parameters))?;
        tx.commit().await?;
        Ok(rows)
    };
    let rows = rows.await.map_err(db.error("reading the outbox"))?;
    let message = |row: &tokio_postgres::Row| Outgoing {
        id: row.get(0),
        subject: row.get(1),
        body: row.get(2),
    };
    Ok(rows.iter().map(message).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_sent_ever_more_rarely() {
        let now = Instant::now();
        for (times, wait_s) in [(1, 5), (2, 10), (3, 20), (11, 5120), (40, 5120)] {
            let sent = Sent { at: now, times };
            assert!(
                !sent.is_due(now + Duration::from_secs(wait_s - 1)),
                "{times}"
            );
            assert!(sent.is_due(now + Duration::from_secs(wait_s)), "{times}");
        }
    }
}

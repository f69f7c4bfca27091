//! The clock: it sees to it that what is due is found to be due, also where nothing else happens.
//!
//! The fold has no clock; a deadline fires before the first event that is recorded after it. Where the next deadline has
//! passed, everything that is recorded is folded, and none of it came after that moment, `ledger.beat.ticked` is
//! published by the front door, like any event. That is all: what is due is judged where it is folded.
//!
//! Recorded time is NATS' time. Where its clock is behind, a tick comes too early and finds nothing; then the next one
//! waits for as long as that clock is behind. A tick's id follows from what is due and from how long the chain is, so
//! that two clocks say the same, which is a duplicate.

mod pace;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use ledger::db::Database;
use ledger::digest;
use ledger::outage::Rounds;
use ledger::read::{ReadError, Reader};
use schema::LedgerName;
use serde_json::json;
use tokio::sync::watch;

use crate::derived::Derived;
use crate::metrics::Metrics;
use crate::send::{SendError, send};
use crate::store::count;
use crate::verdict::Outgoing;
use pace::{Pace, Seen, Turn};

/// Ticks until `stop` is true, through outages of NATS and of the database. `js` is a connection as publisher `ledger`,
/// `now_us` tells the time in µs.
///
/// The only error that ends it is a database that is there and refuses.
pub async fn run(
    db: &Database,
    ledger: &LedgerName,
    js: &jetstream::Context,
    now_us: impl Fn() -> i64,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), ReadError> {
    let mut clock = Clock {
        db,
        ledger,
        js,
        metrics: &metrics,
        reader: None,
        pace: Pace::default(),
    };
    let what = format!("the clock of ledger {ledger}");
    let (outage, outages) = (&metrics.clock_outage, &metrics.outages);
    let mut rounds = Rounds::new(what, outage, outages, pace::POLL);
    while !*stop.borrow() {
        let turn = clock.turn(&now_us).await;
        let pause = rounds.after(turn, SendError::refusal)?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            ended = stop.changed() => if ended.is_err() { return Ok(()) },
        }
    }
    Ok(())
}

/// When the next deadline is due that has not fired, in µs; `None` where there is none.
pub async fn next_due_us(reader: &Reader) -> Result<Option<i64>, ReadError> {
    let seen = look(reader).await?;
    Ok(seen.and_then(|seen| seen.due_us))
}

struct Clock<'a> {
    db: &'a Database,
    ledger: &'a LedgerName,
    js: &'a jetstream::Context,
    metrics: &'a Metrics,
    reader: Option<Reader>,
    pace: Pace,
}

impl Clock<'_> {
    /// Looks, ticks where that is needed, and gives how long to wait until it looks again.
    async fn turn(&mut self, now_us: impl Fn() -> i64) -> Result<Duration, SendError> {
        let reader = match &self.reader {
            Some(reader) => reader,
            None => self
                .reader
                .insert(Reader::open(self.db, self.ledger).await?),
        };
        let Some(seen) = look(reader).await? else {
            return Ok(pace::POLL);
        };
        let now_us = now_us();
        let due_us = match self.pace.turn(&seen, now_us) {
            Turn::Wait(pause) => return Ok(pause),
            Turn::Tick { due_us } => due_us,
        };
        let tick = message(self.ledger, due_us, seen.size);
        let taken = send(self.js, self.ledger, &tick).await?.await;
        let taken = taken.map_err(|source| SendError::untaken(&tick, source))?;
        self.pace.sent(due_us, now_us, taken.sequence);
        Metrics::add(&self.metrics.ticks, 1);
        let due = schema::time::format_us(due_us);
        tracing::debug!(ledger = %self.ledger, %due, "ledger {}: something was due at {due}", self.ledger);
        Ok(pace::POLL)
    }
}

/// Where everything stands; `None` where nobody has projected the ledger.
async fn look(reader: &Reader) -> Result<Option<Seen>, ReadError> {
    let db = reader.database();
    let client = db.client().await?;
    let row = async {
        let statement = client
            .prepare_cached(include_str!("sql/next_due.sql"))
            .await?;
        client.query_opt(&statement, &[&reader.id()]).await
    };
    let row = row.await.map_err(db.error("reading what is due"))?;
    Ok(row.map(|row| Seen {
        due_us: row.get("due_us"),
        next: count(row.get("next_seq")),
        size: count(row.get("size")),
        stream_seq: count(row.get("stream_seq")),
        message_us: row.get("message_us"),
    }))
}

/// The tick about what was due, when the chain had so many positions.
fn message(ledger: &LedgerName, due_us: i64, size: u64) -> Outgoing {
    let id = hex::encode(digest::beat_id(due_us, size));
    let data = json!({ "due_us": due_us });
    Derived::new(size, "ledger.beat.ticked", id, ledger.as_str(), &data).message(ledger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_clocks_say_the_same() {
        let main = LedgerName::new("main").expect("legal");
        let one = message(&main, 1_785_704_401_000_000, 7);
        assert_eq!(one, message(&main, 1_785_704_401_000_000, 7));
        assert_ne!(one.id, message(&main, 1_785_704_401_000_000, 8).id);
        assert_eq!(one.subject, "ledger.main.ingest.ledger.ledger.beat.ticked");
        let body: serde_json::Value = serde_json::from_slice(&one.body).expect("JSON");
        assert_eq!(body["type"], "ledger.beat.ticked");
        assert_eq!(body["data"]["due_us"], 1_785_704_401_000_000_i64);
        assert_eq!(body["time"], serde_json::Value::Null);
    }
}

//! What waits in the stream to be read, and whether NATS will forget it before.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ingest::nats::Connection;
use schema::LedgerName;
use tokio::sync::watch;

use crate::connect;
use crate::roles::Shared;

/// How often a serving process looks.
const EVERY: Duration = Duration::from_secs(2);

/// What the stream holds behind a position.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The last number of the stream.
    pub last: u64,
    /// Messages without a position.
    pub pending: u64,
    /// Numbers without a position that the stream no longer has.
    pub expired: u64,
    /// When the oldest of those it still has was stored, in µs since the Unix epoch.
    pub oldest_us: Option<i64>,
    /// How long the stream keeps a message, in µs; 0 for as long as there is room.
    pub kept_us: i64,
}

impl Backlog {
    /// Asks the stream what it holds behind number `read`; `None` where there is no such stream or it does not say.
    pub async fn look(connection: &Connection, ledger: &LedgerName, read: u64) -> Option<Self> {
        let stream = connection.js.get_stream(ledger.stream_in()).await.ok()?;
        let info = stream.cached_info();
        let (first, last) = (info.state.first_sequence, info.state.last_sequence);
        let next = read.saturating_add(1);
        let mut found = Self {
            last,
            pending: last.saturating_sub(read),
            expired: first.saturating_sub(next),
            oldest_us: None,
            kept_us: i64::try_from(info.config.max_age.as_micros()).unwrap_or(i64::MAX),
        };
        if last >= next {
            let subject = format!("ledger.{ledger}.ingest.>");
            let oldest = stream.get_first_raw_message_by_subject(subject, next).await;
            let time = oldest
                .ok()
                .map(|message| message.time.unix_timestamp_nanos() / 1000);
            found.oldest_us = time.and_then(|us| i64::try_from(us).ok());
        }
        Some(found)
    }

    /// How long the oldest of them has waited, in seconds.
    pub fn age_seconds(&self, now_us: i64) -> f64 {
        let age = self
            .oldest_us
            .map_or(0, |oldest| now_us.saturating_sub(oldest));
        Duration::from_micros(u64::try_from(age).unwrap_or(0)).as_secs_f64()
    }

    /// What is about to be lost, or is: messages that nobody has read.
    pub fn complaint(&self, now_us: i64) -> Option<String> {
        if self.expired > 0 {
            return Some(format!(
                "the stream no longer has {} that nobody read; a gap will say so",
                crate::output::counted(
                    usize::try_from(self.expired).unwrap_or(usize::MAX),
                    "message"
                )
            ));
        }
        let age_us = now_us.saturating_sub(self.oldest_us?);
        (self.kept_us > 0 && age_us > self.kept_us / 2).then(|| {
            format!(
                "the oldest message that was not read is {} s old, and the stream keeps messages for {} s",
                age_us / 1_000_000,
                self.kept_us / 1_000_000
            )
        })
    }
}

/// What was seen last.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Option<Backlog>>);

impl Seen {
    /// The last look; `None` before the first.
    pub fn last(&self) -> Option<Backlog> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, backlog: Backlog) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(backlog);
    }
}

/// Looks again and again until told to stop, whoever reads the stream. What cannot be asked stays as it was.
pub async fn watch(shared: &Shared, mut stop: watch::Receiver<bool>) {
    let mut connection: Option<Connection> = None;
    while !*stop.borrow() {
        if connection.as_ref().is_none_or(Connection::is_lost) {
            connection = match connect::nats(&shared.config) {
                Ok(nats) => nats.connect("backlog").await.ok(),
                Err(_) => None,
            };
        }
        if let Some(connection) = &connection
            && let Some(read) = position(shared).await
            && let Some(found) = Backlog::look(connection, &shared.config.ledger, read).await
        {
            shared.backlog.note(found);
        }
        let _ = tokio::time::timeout(EVERY, ingest::backoff::stopped(&mut stop)).await;
    }
}

/// The number of the last message with a position: as the database says, or, while that is away, as this process
/// last knew it.
async fn position(shared: &Shared) -> Option<u64> {
    let head = ledger::head::Head::load(&shared.db, &shared.config.ledger).await;
    if let Ok(Some(head)) = head {
        return Some(head.stream_seq);
    }
    let known = shared
        .metrics
        .stream_seq
        .load(std::sync::atomic::Ordering::Relaxed);
    (known > 0).then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_the_stream_keeps_is_the_limit() {
        let mut backlog = Backlog {
            last: 9,
            pending: 2,
            oldest_us: Some(0),
            kept_us: 10_000_000,
            ..Backlog::default()
        };
        assert_eq!(backlog.complaint(5_000_000), None);
        let said = backlog.complaint(5_000_001).expect("too old");
        assert!(said.contains("5 s old") && said.contains("10 s"), "{said}");
        assert!((backlog.age_seconds(2_500_000) - 2.5).abs() < 1e-9);
        backlog.kept_us = 0;
        assert_eq!(backlog.complaint(i64::MAX), None);
        backlog.expired = 3;
        let said = backlog.complaint(0).expect("lost");
        assert!(said.contains("3 messages"), "{said}");
    }
}

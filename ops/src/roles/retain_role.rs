//! Deletes data whose time is over, and what people asked to have deleted: says so in the chain first, then does it.

use std::collections::BTreeSet;
use std::time::Duration;

use ingest::nats::Connection;
use ingest::{publish, scrub, streams};
use ledger::read::Reader;
use projections::retention::{Desk, RetentionError, Saying};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::board::Standing;
use super::outages::{End, Outages};
use super::{Role, Shared};
use crate::exit::Failure;
use crate::{app, connect, packages};

/// How often to look for requests and for what has come true.
const POLL: Duration = Duration::from_secs(1);
/// How often to look for messages that are to be deleted from the stream.
const SCRUB_EVERY: Duration = Duration::from_secs(30);
/// How often to count what waits.
const COUNT_EVERY: Duration = Duration::from_secs(10);
/// How far our clock may be ahead of that by which messages are recorded: nobody must be told that data was named too
/// early. Data may well stay a few minutes longer.
const SKEW_US: i64 = 300_000_000;
/// How long something said may take into the chain before it is looked at anew what there is to say.
const PATIENCE: Duration = Duration::from_secs(30);

impl From<RetentionError> for End {
    fn from(error: RetentionError) -> Self {
        let away = error.is_unavailable();
        Self::of(connect::failed(error, away), away)
    }
}

/// Deletes until told to stop, through outages of both servers.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    Outages::of(Role::Retain).work(shared, stop, once).await
}

async fn once(shared: &Shared, stop: &mut watch::Receiver<bool>) -> Result<(), End> {
    let config = &shared.config;
    let connection = connect::nats(config)?.connect("retain").await?;
    let reader = Reader::open(&shared.db, &config.ledger)
        .await
        .map_err(RetentionError::from)?;
    let mut session = Session {
        shared,
        connection,
        desk: Desk::open(reader.clone()).await?,
        reader,
        scrub_at: Instant::now(),
        count_at: Instant::now(),
    };
    shared.board.set(Role::Retain, Standing::Running, "running");
    while !*stop.borrow() {
        session.round(stop).await?;
        if session.connection.is_lost() {
            return Err(session.connection.lost_error().into());
        }
        tokio::select! {
            () = sleep(POLL) => {}
            () = ingest::backoff::stopped(stop) => {}
        }
    }
    Ok(())
}

struct Session<'a> {
    shared: &'a Shared,
    connection: Connection,
    reader: Reader,
    desk: Desk,
    /// When to look for messages to delete.
    scrub_at: Instant,
    /// When to count what waits.
    count_at: Instant,
}

impl Session<'_> {
    async fn round(&mut self, stop: &watch::Receiver<bool>) -> Result<(), End> {
        self.desk.refresh().await?;
        while !*stop.borrow() {
            let Some(saying) = self.desk.next(app::now_us() - SKEW_US).await? else {
                break;
            };
            if !self.say(&saying, stop).await? {
                return Ok(());
            }
            self.desk.refresh().await?;
        }
        let deleted = self.desk.delete(self.sealed().await?).await?;
        self.shared.deleting.deleted(deleted);
        if deleted > 0 {
            tracing::info!(
                deleted,
                "deleted the data of {deleted} positions, as events of the chain say"
            );
        }
        self.scrub().await?;
        let now_us = app::now_us();
        if deleted > 0 || Instant::now() >= self.count_at {
            self.count_at = Instant::now() + COUNT_EVERY;
            let waiting = self.desk.waiting(now_us - SKEW_US);
            self.shared.deleting.waits(waiting);
        }
        self.shared.deleting.ran(now_us);
        Ok(())
    }

    /// The size of the last signed head that the database has.
    async fn sealed(&self) -> Result<u64, End> {
        Ok(ledger::retention::sealed(&self.reader)
            .await
            .map_err(RetentionError::from)?)
    }

    /// Publishes and waits until it is in the chain; false where it is not in time.
    async fn say(&self, saying: &Saying, stop: &watch::Receiver<bool>) -> Result<bool, End> {
        let ledger = &self.shared.config.ledger;
        let (event_type, subject) = (saying.event_type, &saying.subject);
        let item = packages::message(ledger, event_type, &saying.id, subject, &saying.data);
        publish::one(&self.connection, &item).await?;
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience && !*stop.borrow() {
            if let Some(seq) = self.desk.position(ledger, saying).await? {
                tracing::info!(seq, "position {seq} is a {event_type} of class {subject}");
                return Ok(true);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    /// Overwrites messages whose data is deleted, once the event that says so is old enough: until then a lost tail
    /// could need them to be replayed bit for bit.
    async fn scrub(&mut self) -> Result<(), End> {
        let config = &self.shared.config;
        if Instant::now() < self.scrub_at {
            return Ok(());
        }
        self.scrub_at = Instant::now() + SCRUB_EVERY.min(config.stream_secret_age);
        let age = i64::try_from(config.stream_secret_age.as_micros()).unwrap_or(i64::MAX);
        let before_us = app::now_us().saturating_sub(age);
        let waiting = self.desk.messages(before_us).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let kept = streams::kept(&self.connection, &config.ledger).await?;
        for (by, messages) in waiting {
            let mut many = 0;
            for (stream, numbers) in messages {
                let first = match &kept {
                    Some(kept) if kept.identity == stream => kept.first_seq,
                    // Gone with its stream.
                    _ => continue,
                };
                let there: BTreeSet<u64> = numbers.range(first..).copied().collect();
                let there: Vec<u64> = there.into_iter().collect();
                many += scrub::scrub(&self.connection, &config.ledger, &stream, &there).await?;
            }
            self.shared.deleting.overwrote(many);
            if many > 0 {
                tracing::info!(
                    by,
                    many,
                    "deleted {many} messages from the stream, as position {by} says"
                );
            }
            self.desk.scrubbed(by).await?;
        }
        Ok(())
    }
}

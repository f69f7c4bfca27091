//! Signing heads: re-read, publish by compare-and-set, write the file, note it in the database.

use std::time::Duration;

use ingest::heads::{self, HeadError};
use ingest::nats::Connection;
use ingest::scrub;
use ledger::head_file;
use ledger::read::Reader;
use ledger::seal::{SealError, Sealer};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::board::Standing;
use super::key_care::KeyCare;
use super::outages::{End, Outages};
use super::{Role, Shared};
use crate::app;
use crate::connect;
use crate::exit::{Context, Failure};
use crate::released::Released;

/// How often the head is looked at where nobody wakes us.
const POLL: Duration = Duration::from_millis(100);
/// How long the synchronous standby may lag before somebody should know.
const STANDBY_PATIENCE: Duration = Duration::from_secs(10);
/// How often to look for messages that are to be deleted from the stream.
const SCRUB_EVERY: Duration = Duration::from_secs(30);

impl From<SealError> for End {
    fn from(error: SealError) -> Self {
        // A database that is behind what was let out may be on its way there: ingest replays the stream.
        let replaying = matches!(error, SealError::RolledBack { .. });
        let away = error.is_unavailable();
        Self::of(connect::failed(error, away), away || replaying)
    }
}

impl From<HeadError> for End {
    fn from(error: HeadError) -> Self {
        match error {
            HeadError::Nats(error) => error.into(),
            // Another process signed, or our own head went out and we did not hear of it: compare anew.
            moved @ HeadError::Moved { .. } => Self::Waiting(connect::failed(moved, false)),
        }
    }
}

/// Signs heads until told to stop, through outages of both servers.
pub async fn run(shared: &Shared, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    Outages::of(Role::Seal).work(shared, stop, once).await
}

async fn once(shared: &Shared, stop: &mut watch::Receiver<bool>) -> Result<(), End> {
    let mut session = Session::open(shared).await?;
    shared.board.set(Role::Seal, Standing::Running, "running");
    loop {
        session.wait(stop).await;
        if session.connection.is_lost() && !*stop.borrow() {
            return Err(session.connection.lost_error().into());
        }
        // The last head goes out also when we are told to stop.
        session.seal().await?;
        session.tell_of_standby();
        session.scrub().await?;
        let (keys, connection) = (&mut session.keys, &session.connection);
        keys.look(session.shared, connection).await?;
        if *stop.borrow() {
            return Ok(());
        }
    }
}

struct Session<'a> {
    shared: &'a Shared,
    connection: Connection,
    sealer: Sealer,
    /// The number of the last head on the outgoing stream.
    behind: u64,
    reader: Reader,
    /// The messages of all positions before this one that looked like a secret are deleted.
    scrubbed: u64,
    /// When to look for more.
    scrub_at: Instant,
    keys: KeyCare,
    /// Since when the synchronous standby has not confirmed what would be signed.
    behind_since: Option<Instant>,
}

impl<'a> Session<'a> {
    /// Compares the database with the heads that were let out: on the stream and in the file.
    async fn open(shared: &'a Shared) -> Result<Self, End> {
        let config = &shared.config;
        let connection = connect::nats(config)?.connect("seal").await?;
        let released = Released::read(config, &connection).await?;
        let reader = Reader::open(&shared.db, &config.ledger)
            .await
            .map_err(SealError::from)?;
        let origin = reader.head().await.map_err(SealError::from)?.origin;
        let signer = shared.keyring.signer(&origin).map_err(Failure::from)?;
        let sealer =
            Sealer::open(shared.db.clone(), &config.ledger, signer, &released.notes).await?;
        let behind = released.behind;
        Ok(Self {
            shared,
            connection,
            sealer,
            behind,
            reader,
            scrubbed: 0,
            scrub_at: Instant::now(),
            keys: KeyCare::default(),
            behind_since: None,
        })
    }

    /// Until a head is due: so many seconds, or so many events.
    async fn wait(&self, stop: &mut watch::Receiver<bool>) {
        let config = &self.shared.config;
        let waiting = self.sealer.waits_for_standby().is_some();
        let every = if waiting { POLL } else { config.seal_every };
        let began = Instant::now();
        while began.elapsed() < every && !*stop.borrow() {
            let size = self
                .shared
                .metrics
                .size
                .load(std::sync::atomic::Ordering::Relaxed);
            if size.saturating_sub(self.sealer.size()) >= config.seal_events {
                return;
            }
            let pause = POLL.min(every.saturating_sub(began.elapsed()));
            tokio::select! {
                () = sleep(pause) => {}
                () = ingest::backoff::stopped(stop) => {}
            }
        }
    }

    async fn seal(&mut self) -> Result<(), End> {
        while let Some(head) = self.sealer.prepare().await? {
            if head.let_out {
                self.let_out(&head.note).await?;
            }
            let size = head.checkpoint.size;
            self.sealer.commit(head).await?;
            self.shared.sealed.note(size, app::now_us());
        }
        Ok(())
    }

    /// Says on the board where the synchronous standby holds signing up for long.
    fn tell_of_standby(&mut self) {
        let board = &self.shared.board;
        let Some(size) = self.sealer.waits_for_standby() else {
            if self.behind_since.take().is_some() {
                board.set(Role::Seal, Standing::Running, "running");
            }
            return;
        };
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        if since.elapsed() > STANDBY_PATIENCE {
            let why = format!(
                "the synchronous standby has not confirmed the first {size} positions; nothing is signed until it has: \
                 look at pg_stat_replication, or take the standby out of synchronous_standby_names"
            );
            board.set(Role::Seal, Standing::Waiting, &why);
        }
    }

    async fn let_out(&mut self, note: &str) -> Result<(), End> {
        let config = &self.shared.config;
        self.behind =
            heads::publish_head(&self.connection, &config.ledger, self.behind, note).await?;
        head_file::write(&config.head, note).context(format!(
            "cannot write the signed head to {}",
            config.head.display()
        ))?;
        Ok(())
    }

    /// Deletes from the stream what looked like a secret, once it is sealed and old enough: until then a lost tail
    /// could need it to be replayed bit for bit.
    async fn scrub(&mut self) -> Result<(), End> {
        let config = &self.shared.config;
        if Instant::now() < self.scrub_at {
            return Ok(());
        }
        self.scrub_at = Instant::now() + SCRUB_EVERY.min(config.stream_secret_age);
        let age = i64::try_from(config.stream_secret_age.as_micros()).unwrap_or(i64::MAX);
        let before_us = app::now_us().saturating_sub(age);
        let found = self
            .reader
            .suspected_secrets(self.scrubbed, self.sealer.size(), before_us)
            .await
            .map_err(SealError::from)?;
        for (seq, stream, number) in found {
            if scrub::scrub(&self.connection, &config.ledger, &stream, &[number]).await? > 0 {
                tracing::info!(
                    seq,
                    "deleted the message of position {seq} from the stream: it looked like a secret"
                );
            }
            self.scrubbed = seq + 1;
        }
        Ok(())
    }
}

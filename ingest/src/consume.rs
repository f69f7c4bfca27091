//! From the stream to the chain: read, append, acknowledge, in that order.
//!
//! One task receives and parses; another appends what the first has ready, and while PostgreSQL commits one batch it
//! drafts and hashes the next. The acknowledgement goes out after the commit, and on every start the position comes
//! from the head, never from what NATS remembers.

mod ahead;
mod catalogs;
mod receive;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger::append::{AppendError, Appender, Outcome};
use ledger::db::Database;
use ledger::head::Head;
use ledger::read::ReadError;
use ledger::words::in_full;
use schema::Catalog;
use tokio::sync::{mpsc, watch};

use self::ahead::{Ahead, Next, Todo};
use self::catalogs::Judged;
use self::receive::{Batch, Done, Receiver};
use crate::backoff::{Backoff, Health, is_stopped, stopped};
use crate::checks::{Lost, PlaceError};
use crate::metrics::{Metrics, State};
use crate::nats::{Nats, NatsError};
use crate::source::{Source, SourceError};

/// How to consume.
#[derive(Debug, Clone)]
pub struct Config {
    /// The NATS system.
    pub nats: Nats,
    /// How many messages a batch holds at most.
    pub batch_messages: usize,
    /// How many bytes a batch holds at most; one message may be larger.
    pub batch_bytes: usize,
    /// How to wait while a server is away.
    pub backoff: Backoff,
    /// The size of the largest signed head that was let out. A database that is behind it is replaying, and
    /// what it replays must be whole.
    pub released: u64,
}

impl Config {
    /// Batches of up to 1000 messages or 4 MiB.
    pub fn new(nats: Nats, backoff: Backoff) -> Self {
        Self {
            nats,
            batch_messages: 1000,
            batch_bytes: 4 << 20,
            backoff,
            released: 0,
        }
    }
}

/// Why consuming stopped. None of these mends itself; a server that is away is waited for.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The stream is not, or no longer, what the head was taken from.
    #[error("NATS does not hold what the ledger was read from")]
    LostTail(#[source] Lost),
    /// NATS does not let us.
    #[error("the stream cannot be read")]
    Nats(#[source] NatsError),
    /// Somebody else appends, or the database contradicts itself or refuses.
    #[error("the chain cannot be appended to")]
    Append(#[source] AppendError),
    /// The database refuses to give the catalog.
    #[error("the catalog cannot be read from the chain")]
    Database(#[source] ReadError),
    /// The catalog in the chain does not compile with this program.
    #[error(
        "the catalog at position {seq} does not compile with this version of the program: {detail}"
    )]
    Catalog {
        /// The head's position.
        seq: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// A catalog was activated that needs a newer program.
    #[error(
        "message {stream_seq} activates a catalog for engine {wanted} and this program has engine {ours}: \
         upgrade the program; nothing is lost meanwhile"
    )]
    Engine {
        /// The message's number in the stream.
        stream_seq: u64,
        /// The engine that it asks for.
        wanted: u32,
        /// The engine that this program has.
        ours: u32,
    },
}

/// Why one opening of the stream ended.
enum End {
    /// Told to stop.
    Stopped,
    /// A server is away, or the consumer must be made again.
    Waiting(Box<dyn std::error::Error + Send + Sync>),
    /// Somebody must mend it.
    Failed(IngestError),
}

impl From<SourceError> for End {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Place(PlaceError::Lost(lost)) => Self::Failed(IngestError::LostTail(lost)),
            SourceError::Nats(nats) | SourceError::Place(PlaceError::Nats(nats))
                if !nats.is_unavailable() =>
            {
                Self::Failed(IngestError::Nats(nats))
            }
            waiting => Self::Waiting(waiting.into()),
        }
    }
}

impl From<AppendError> for End {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Unavailable(_) | AppendError::OutOfOrder { .. } => {
                Self::Waiting(error.into())
            }
            _ => Self::Failed(IngestError::Append(error)),
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        if error.is_unavailable() {
            Self::Waiting(error.into())
        } else {
            Self::Failed(IngestError::Database(error))
        }
    }
}

/// Appends what comes until told to stop (the batch in hand is finished first), or until something is wrong
/// that waiting does not mend. `on_committed` is told of every commit, after it.
pub async fn run(
    config: Config,
    db: Database,
    mut appender: Appender,
    mut on_committed: impl FnMut(&Head, &[Outcome]) + Send,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    appender.signed_up_to(config.released);
    let mut backoff = config.backoff.clone();
    let mut health = Health::new("ingest");
    let mut role = Role {
        config,
        db,
        appender,
        metrics,
        on_committed: &mut on_committed,
        fresh: true,
    };
    loop {
        role.metrics.enter(State::Opening);
        // On the heap, because it is large and lives as long as the role.
        let end = Box::pin(role.once(&mut stop, &mut health, &mut backoff)).await;
        match end {
            End::Stopped => {
                role.metrics.enter(State::Stopped);
                return Ok(());
            }
            End::Failed(error) => {
                role.metrics.enter(State::Failed);
                return Err(error);
            }
            End::Waiting(error) => {
                role.metrics.consume_outage.begin(in_full(error.as_ref()));
                role.metrics.enter(State::Waiting);
                health.failed(error.as_ref());
                backoff.wait(&mut stop).await;
            }
        }
    }
}

struct Role<'a> {
    config: Config,
    db: Database,
    appender: Appender,
    metrics: Arc<Metrics>,
    on_committed: &'a mut (dyn FnMut(&Head, &[Outcome]) + Send),
    /// Whether the appender's head is known to be the truth.
    fresh: bool,
}

impl Role<'_> {
    /// Opens the stream behind the head and appends until something ends it.
    async fn once(
        &mut self,
        stop: &mut watch::Receiver<bool>,
        health: &mut Health,
        backoff: &mut Backoff,
    ) -> End {
        if is_stopped(stop) {
            return End::Stopped;
        }
        let opened = tokio::select! {
            () = stopped(stop) => return End::Stopped,
            opened = self.open() => opened,
        };
        let (source, catalog) = match opened {
            Ok(opened) => opened,
            Err(end) => return end,
        };
        health.works();
        backoff.reset();
        self.metrics.consume_outage.end();
        self.metrics.enter(State::Running);
        let (batches, mut ready) = mpsc::channel(2);
        let (done, finished) = mpsc::unbounded_channel();
        let stream = source.place.identity.clone();
        let receiver = Receiver::new(
            source,
            &self.config,
            self.ledger(),
            catalog,
            self.metrics.clone(),
        );
        let receiver = tokio::spawn(receiver.run(batches, finished));
        let mut ahead = Ahead {
            planner: self.appender.planner(),
            stream: &stream,
            released: self.config.released,
        };
        let end = self.append_all(&mut ahead, &mut ready, &done, stop).await;
        // Dropping the channels ends the receiver; it sends the last acknowledgement first.
        drop((done, ready));
        let why = match receiver.await {
            Ok(error) => error.into(),
            Err(panic) => End::Waiting(panic.into()),
        };
        end.unwrap_or(why)
    }

    /// Appends what is ready until there is no more (`None`), or something ends it.
    async fn append_all(
        &mut self,
        ahead: &mut Ahead<'_>,
        ready: &mut mpsc::Receiver<Batch>,
        done: &mpsc::UnboundedSender<Done>,
        stop: &mut watch::Receiver<bool>,
    ) -> Option<End> {
        let mut next: Option<Next> = None;
        loop {
            if is_stopped(stop) {
                return Some(End::Stopped);
            }
            let now = if let Some(next) = next.take() {
                next
            } else {
                let batch = tokio::select! {
                    biased;
                    () = stopped(stop) => return Some(End::Stopped),
                    batch = ready.recv() => batch?,
                };
                ahead.plan(self.appender.head().clone(), batch)
            };
            let after = now.after();
            let mut append = pin!(self.append(ahead.stream, now));
            let appended = loop {
                // While one is committed, the one behind it is made ready.
                let behind = after.as_ref().filter(|_| next.is_none());
                tokio::select! {
                    biased;
                    appended = &mut append => break appended,
                    Some(batch) = ready.recv(), if behind.is_some() => {
                        next = behind.cloned().map(|head| ahead.plan(head, batch));
                    }
                }
            };
            match appended {
                // A receiver that has ended is noticed when it hands over nothing more.
                Ok(committed) => drop(done.send(committed)),
                Err(end) => return Some(end),
            }
        }
    }

    fn ledger(&self) -> schema::LedgerName {
        self.appender.head().ledger.clone()
    }

    async fn open(&mut self) -> Result<(Source, Arc<Catalog>), End> {
        if !self.fresh {
            // An append without messages finds out what became of the one in doubt.
            let stream = self.appender.head().stream.clone();
            let outcomes = self.appender.append(&stream, Vec::new()).await?;
            self.fresh = true;
            self.committed(&outcomes, 0);
        }
        let head = self.appender.head();
        let catalog = catalogs::at_head(&self.db, head).await?;
        let source = Source::open(&self.config.nats, &head.ledger, head).await?;
        let gauge =
            |gauge: &std::sync::atomic::AtomicU64, value| gauge.store(value, Ordering::Relaxed);
        gauge(&self.metrics.size, head.size);
        gauge(&self.metrics.stream_seq, head.stream_seq);
        gauge(&self.metrics.pending, source.pending);
        self.metrics
            .message_us
            .store(head.message_us, Ordering::Relaxed);
        let oldest = source.place.next_us.unwrap_or(0);
        self.metrics
            .oldest_unread_us
            .store(oldest, Ordering::Relaxed);
        self.metrics.opened.fetch_add(1, Ordering::Relaxed);
        Ok((source, catalog))
    }

    /// Appends a batch; gives what the receiver needs to go on.
    async fn append(&mut self, stream: &str, next: Next) -> Result<Done, End> {
        let Next { todo, ack, bytes } = next;
        let mut activated = None;
        let appended = match todo {
            Todo::Failed(end) => return Err(end),
            Todo::Planned(plan) => self.appender.append_plan(plan).await,
            Todo::Judged(mut batch) => {
                activated = self.judge(&mut batch).await?;
                self.appender.append(stream, batch.arrivals).await
            }
        };
        let outcomes = match appended {
            Ok(outcomes) => outcomes,
            Err(error) => {
                self.fresh = false;
                return Err(error.into());
            }
        };
        self.committed(&outcomes, bytes);
        // A duplicate of an old activation changes nothing.
        let recorded = outcomes
            .last()
            .is_some_and(|outcome| outcome.kind == ledger::append::Kind::Recorded);
        Ok(Done {
            ack,
            catalog: activated.filter(|_| recorded),
        })
    }

    /// The catalog that an activation brings; one that cannot be is marked as refused.
    async fn judge(&mut self, batch: &mut Batch) -> Result<Option<Arc<Catalog>>, End> {
        let Some(arrival) = batch.activation() else {
            return Ok(None);
        };
        match catalogs::judge(&self.db, self.appender.head(), arrival).await? {
            Judged::Compiles(catalog) => Ok(Some(catalog)),
            Judged::Refused(refusal) => {
                arrival.read = Err(refusal);
                Ok(None)
            }
        }
    }

    fn committed(&mut self, outcomes: &[Outcome], bytes: u64) {
        if outcomes.is_empty() {
            return;
        }
        let head = self.appender.head();
        self.metrics.size.store(head.size, Ordering::Relaxed);
        self.metrics
            .stream_seq
            .store(head.stream_seq, Ordering::Relaxed);
        self.metrics
            .message_us
            .store(head.message_us, Ordering::Relaxed);
        self.metrics.committed(outcomes, bytes);
        (self.on_committed)(head, outcomes);
    }
}

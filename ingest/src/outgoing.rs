//! What goes out: every position's receipt, and what stands out among them, in order, none left out.
//!
//! Where to go on is read from the outgoing stream itself: a position's receipt is its last message there.
//! Each message names the one before it by its `Nats-Msg-Id` and is refused by the server where another (or
//! none) stands there; the first names the stream's last number. So whatever becomes of a connection, of
//! a message in the middle or of a second process, the stream holds no gap and nothing twice.

mod row;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use ledger::db::Database;
use ledger::read::ReadError;
use ledger::words::in_full;
use schema::LedgerName;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use self::row::{Row, highest};
use crate::backoff::{Backoff, Health, is_stopped, stopped};
use crate::metrics::Metrics;
use crate::nats::{Nats, NatsError};

/// How long to sleep where nothing wakes us.
const POLL: Duration = Duration::from_millis(100);

/// How to publish outward.
#[derive(Debug, Clone)]
pub struct Config {
    /// The NATS system.
    pub nats: Nats,
    /// The ledger.
    pub ledger: LedgerName,
    /// How to wait while a server is away.
    pub backoff: Backoff,
}

/// Why publishing outward stopped. None of these mends itself.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// There is no stream to write to.
    #[error("there is no stream {0}; `ledger init` makes it")]
    NoStream(String),
    /// NATS does not let us.
    #[error("the outgoing stream cannot be written")]
    Nats(#[source] NatsError),
    /// The database does not let us.
    #[error("the chain cannot be read")]
    Database(#[source] ReadError),
    /// The server takes no message of this size.
    #[error(
        "position {seq} makes a message of {size} bytes, more than the server's max_payload: raise it"
    )]
    TooLarge {
        /// The position.
        seq: u64,
        /// The size of its message.
        size: usize,
    },
}

enum End {
    Stopped,
    /// Something else was published in between, such as a signed head: look again, at once.
    Again,
    Waiting(Box<dyn std::error::Error + Send + Sync>),
    Failed(OutgoingError),
}

impl From<NatsError> for End {
    fn from(error: NatsError) -> Self {
        if error.is_unavailable() {
            Self::Waiting(error.into())
        } else {
            Self::Failed(OutgoingError::Nats(error))
        }
    }
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        if error.is_unavailable() {
            Self::Waiting(error.into())
        } else {
            Self::Failed(OutgoingError::Database(error))
        }
    }
}

impl From<PublishError> for End {
    fn from(error: PublishError) -> Self {
        match error.kind() {
            PublishErrorKind::WrongLastMessageId | PublishErrorKind::WrongLastSequence => {
                Self::Again
            }
            _ => Self::Waiting(error.into()),
        }
    }
}

/// Publishes until told to stop. `wake` says that something was committed.
pub async fn run(
    config: Config,
    db: Database,
    wake: Arc<Notify>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), OutgoingError> {
    let mut backoff = config.backoff.clone();
    let mut health = Health::new("notify");
    while !is_stopped(&stop) {
        let end = once(
            &config,
            &db,
            &wake,
            &metrics,
            &mut stop,
            &mut health,
            &mut backoff,
        )
        .await;
        match end {
            End::Stopped => break,
            End::Again => {}
            End::Failed(error) => return Err(error),
            End::Waiting(error) => {
                metrics.notify_outage.begin(in_full(error.as_ref()));
                health.failed(error.as_ref());
                backoff.wait(&mut stop).await;
            }
        }
    }
    Ok(())
}

async fn once(
    config: &Config,
    db: &Database,
    wake: &Notify,
    metrics: &Metrics,
    stop: &mut watch::Receiver<bool>,
    health: &mut Health,
    backoff: &mut Backoff,
) -> End {
    let mut row = match Row::open(config, db, metrics).await {
        Ok(row) => row,
        Err(end) => return end,
    };
    let connection = row.connection.clone();
    // Whether there may be something to read; the first look needs no ring.
    let mut rung = true;
    loop {
        let turn = tokio::select! {
            () = stopped(stop) => return End::Stopped,
            () = connection.lost() => return connection.lost_error().into(),
            turn = turn(&mut row, wake, &mut rung) => turn,
        };
        match turn {
            Ok(Turn::Confirmed) => works(metrics, health, backoff),
            Ok(Turn::Sent) => {}
            // The stream is looked at again on the same connection while that stands.
            Err(End::Again) => match connection.hold(row.resume()).await {
                Ok(Ok(())) => rung = true,
                Ok(Err(end)) => return end,
                Err(lost) => return lost.into(),
            },
            Err(end) => return end,
        }
    }
}

/// What one turn has done.
enum Turn {
    /// NATS answered, or there was nothing to ask of it.
    Confirmed,
    /// Messages are on their way.
    Sent,
}

/// Sends what the chain holds while there is room for more on the way, else takes in what has arrived, else waits.
async fn turn(row: &mut Row<'_>, wake: &Notify, rung: &mut bool) -> Result<Turn, End> {
    if *rung && row.has_room() {
        *rung = row.send_page().await?;
        if *rung {
            return Ok(Turn::Sent);
        }
        if row.is_idle() {
            return Ok(Turn::Confirmed);
        }
    }
    if row.is_idle() {
        let _ = timeout(POLL, wake.notified()).await;
        *rung = true;
        return Ok(Turn::Confirmed);
    }
    tokio::select! {
        confirmed = row.confirm() => confirmed.map(|()| Turn::Confirmed),
        () = wake.notified(), if !*rung => {
            *rung = true;
            Ok(Turn::Sent)
        }
    }
}

fn works(metrics: &Metrics, health: &mut Health, backoff: &mut Backoff) {
    metrics.notify_outage.end();
    health.works();
    backoff.reset();
}

/// The next position whose receipt is to be published, as the outgoing stream has it; `None` where NATS does not say.
pub async fn next(js: &async_nats::jetstream::Context, ledger: &LedgerName) -> Option<u64> {
    let out = js.get_stream(ledger.stream_out()).await.ok()?;
    let last = highest(&out, &format!("ledger.{ledger}.event.>")).await;
    Some(last.ok()?.map_or(0, |seq| seq + 1))
}

//! `ledger serve`'s roles: each a task that is started again after a failure, one active per role and ledger.

pub mod board;
mod clock_role;
pub mod deleting;
mod deliveries;
pub mod ingest_role;
mod key_care;
pub mod lease;
mod notify_role;
mod outages;
mod project_role;
mod retain_role;
mod seal_role;
mod wake;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use ingest::Backoff;
use ledger::db::Database;
use ledger::keyring::Keyring;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use self::board::{Board, Standing};
use self::deleting::Deleting;
use crate::backlog::Seen;
use crate::config::Config;
use crate::exit::{Exit, Failure};

/// Something that `ledger serve` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Role {
    /// From the stream to the chain
    Ingest,
    /// From the chain to the views: states, histories, verdicts
    Project,
    /// Publish verdicts until they are in the chain
    Outbox,
    /// Let time pass where nothing happens, so that what is due is found
    Clock,
    /// Sign heads
    Seal,
    /// Publish receipts, quarantine, violations and heads outward
    Notify,
    /// Delete data whose time is over, and what people asked to have deleted
    Retain,
    /// Health, metrics and tiles, read-only
    Http,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Ingest,
        Self::Project,
        Self::Outbox,
        Self::Clock,
        Self::Seal,
        Self::Notify,
        Self::Retain,
        Self::Http,
    ];

    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Project => "project",
            Self::Outbox => "outbox",
            Self::Clock => "clock",
            Self::Seal => "seal",
            Self::Notify => "notify",
            Self::Retain => "retain",
            Self::Http => "http",
        }
    }
}

/// What all roles share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The configuration.
    pub config: Arc<Config>,
    /// The database.
    pub db: Database,
    /// The ledger's keys.
    pub keyring: Keyring,
    /// Who does what, for `/readyz`.
    pub board: Arc<Board>,
    /// What ingest and notify count.
    pub metrics: Arc<ingest::Metrics>,
    /// What folding counts.
    pub folding: Arc<projections::Metrics>,
    /// Wakes what waits for a commit.
    pub wake: Wake,
    /// What the sealer has done.
    pub sealed: Arc<Sealed>,
    /// What was deleted, and what waits for it.
    pub deleting: Arc<Deleting>,
    /// What waits in the stream.
    pub backlog: Arc<Seen>,
}

/// What the sealer of this process has done.
#[derive(Debug, Default)]
pub struct Sealed {
    size: AtomicU64,
    at_us: AtomicI64,
    heads: AtomicU64,
}

impl Sealed {
    fn note(&self, size: u64, at_us: i64) {
        self.size.store(size, Ordering::Relaxed);
        self.at_us.store(at_us, Ordering::Relaxed);
        self.heads.fetch_add(1, Ordering::Relaxed);
    }

    /// The size of the last head.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    /// When it was signed, in microseconds since the Unix epoch; 0 for never.
    pub fn at_us(&self) -> i64 {
        self.at_us.load(Ordering::Relaxed)
    }

    /// How many heads were signed.
    pub fn heads(&self) -> u64 {
        self.heads.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Puts together what the roles share.
    pub fn new(config: Config, db: Database, keyring: Keyring) -> Self {
        Self {
            config: Arc::new(config),
            db,
            keyring,
            board: Arc::default(),
            metrics: Arc::default(),
            folding: Arc::default(),
            wake: Wake::default(),
            sealed: Arc::default(),
            deleting: Arc::default(),
            backlog: Arc::default(),
        }
    }
}

/// Wakes what waits for a commit.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    /// The fold.
    pub project: Arc<Notify>,
    /// Whoever publishes outward.
    pub notify: Arc<Notify>,
}

impl Wake {
    /// Something was committed.
    pub fn all(&self) {
        self.project.notify_one();
        self.notify.notify_one();
    }
}

/// How long to wait before a role is started again after an error that only somebody can mend.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs roles until told to stop.
pub async fn run(shared: Shared, roles: &[Role], stop: watch::Receiver<bool>) {
    let mut tasks = JoinSet::new();
    for role in roles.iter().copied().filter(|role| *role != Role::Http) {
        shared.board.set(role, Standing::Starting, "starting");
        tasks.spawn(supervise(shared.clone(), role, stop.clone()));
    }
    if wake::is_needed(roles) {
        tasks.spawn(wake::listen(shared.clone(), stop.clone()));
    }
    if roles.contains(&Role::Project) {
        tasks.spawn(wake::tell(shared.clone(), stop.clone()));
    }
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            // Only what rings: without it the roles look by themselves.
            tracing::error!("what wakes the roles ended unexpectedly: {error}");
        }
    }
}

/// Holds the role's lease, runs it, and starts it again after a failure.
async fn supervise(shared: Shared, role: Role, mut stop: watch::Receiver<bool>) {
    let name = role.as_str();
    let mut backoff = backoff();
    while !*stop.borrow() {
        let Some(lease) = lease::wait(&shared, role, &mut stop).await else {
            break;
        };
        if shared.board.standing(role) != Some(Standing::Waiting) {
            shared.board.set(role, Standing::Starting, "starting");
        }
        let (tell, told) = watch::channel(false);
        let work = caught(start(&shared, role, told));
        tokio::pin!(work);
        let ended = tokio::select! {
            ended = &mut work => ended,
            () = ingest::backoff::stopped(&mut stop) => {
                tell.send_replace(true);
                work.await
            }
            () = lease.lost() => {
                tracing::warn!(role = name, "{name} lost its lease with its connection to PostgreSQL; it starts again");
                tell.send_replace(true);
                work.await
            }
        };
        lease.release().await;
        match ended {
            Ok(()) => shared.board.set(role, Standing::Stopped, "stopped"),
            // It had not come to work yet: who works waits for servers by itself.
            Err(failure) if failure.exit() == Exit::Away => {
                let why = failure.render().replace("\n  mend:", "; mend:");
                tracing::warn!(role = name, "{name} is waiting: {why}");
                shared.board.set(role, Standing::Waiting, &why);
                backoff.wait(&mut stop).await;
            }
            Err(failure) => {
                backoff.reset();
                let why = failure.render().replace("\n  mend:", "; mend:");
                tracing::error!(role = name, "{name} stopped: {why}");
                shared.board.set(role, Standing::Failed, &why);
                let _ = tokio::time::timeout(PAUSE, ingest::backoff::stopped(&mut stop)).await;
            }
        }
    }
    shared.board.set(role, Standing::Stopped, "stopped");
}

/// Does the work. A panic is a failure like others: whoever looks sees the role fail, and it is started again.
async fn caught(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // What a role leaves half done in memory goes with it; the others share counters with it and no more.
    let ended = AssertUnwindSafe(work).catch_unwind().await;
    ended.unwrap_or_else(|panic| {
        let what = format!("a fault of the program: {}", said(panic.as_ref()));
        Err(Failure::new(what).mend("report it, with what was logged before it"))
    })
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked without a word")
}

async fn start(shared: &Shared, role: Role, stop: watch::Receiver<bool>) -> Result<(), Failure> {
    match role {
        Role::Ingest => Box::pin(ingest_role::run(shared, stop)).await,
        Role::Project => project_role::run(shared, stop).await,
        Role::Outbox => project_role::publish(shared, stop).await,
        Role::Clock => clock_role::run(shared, stop).await,
        Role::Seal => seal_role::run(shared, stop).await,
        Role::Notify => notify_role::run(shared, stop).await,
        Role::Retain => retain_role::run(shared, stop).await,
        Role::Http => Ok(()),
    }
}

/// Pauses with jitter, drawn from the operating system.
pub fn backoff() -> Backoff {
    Backoff::new(|| {
        let mut bytes = [0; 2];
        let _ = crate::app::random(&mut bytes);
        f64::from(u16::from_be_bytes(bytes)) / 65_536.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[tokio::test]
    async fn a_role_that_panics_fails() {
        let (three, none) = (3, Vec::<i32>::new());
        let failure = caught(async move {
            assert_eq!(none.len(), three, "the fold lost count");
            Ok(())
        });
        let failure = failure.await.expect_err("it panicked");
        assert_eq!(failure.exit(), Exit::Failed);
        let text = failure.render();
        assert!(text.contains("the fold lost count"), "{text}");
        assert!(text.contains("report it"), "{text}");
        assert!(caught(async { Ok(()) }).await.is_ok());
    }
}

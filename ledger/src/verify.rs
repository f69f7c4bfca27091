//! Verification: everything is recomputed from what is stored, and nothing that is stored is believed.
//!
//! The chain is cut into segments of 2^14 positions. Threads, each with two connections and a current-thread
//! runtime of its own, take one after the other; what they find is put together in the chain's order, so the
//! memory needed does not grow with the ledger.

mod merge;
mod segment;
mod since;
mod walk;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use schema::LedgerName;
use tokio::runtime::{Builder, Runtime};

use self::merge::Merge;
use self::segment::{Checked, Watch};
use crate::checkpoint::Checkpoint;
use crate::db::{Database, DbError};
use crate::head::Head;
use crate::note::VerifyingKey;
use crate::redaction::Coverage;
use crate::report::{Report, What};
use crate::scan::Lanes;
use crate::seal::SealError;

/// Positions of one segment: a power of two, so that its subtree is one node of the tree, and whole tiles.
const SEGMENT: u64 = 1 << 14;
/// Each thread keeps two of the server's connections busy, and they are few.
const MOST_THREADS: usize = 16;

/// What to verify with.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many segments are verified at once, at most 16; the number of cores is a good choice.
    pub segments: usize,
    /// The keys that are trusted to sign this ledger's heads. Without one, signatures are not checked, and the
    /// report says so.
    pub keys: Vec<VerifyingKey>,
    /// Signed heads that were let out, as found outside the database: they must be heads of what is stored.
    pub released: Vec<String>,
}

/// Why a ledger could not be verified at all. What is wrong with it is in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The ledger does not exist.
    #[error("there is no ledger {ledger} in {server}")]
    NoLedger {
        /// The name that was looked for.
        ledger: LedgerName,
        /// Where.
        server: String,
    },
    /// A runtime or a thread cannot be had.
    #[error("a thread for verification cannot be started")]
    Thread(#[source] std::io::Error),
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The stored tiles cannot be read.
    #[error("the stored tiles cannot be read")]
    Tiles(#[source] SealError),
}

impl VerifyError {
    /// True where the server was away.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_unavailable())
    }
}

/// What is the same for every segment.
struct Job<'a> {
    db: &'a Database,
    options: &'a Options,
    coverage: Coverage,
    extent: Extent,
    /// The heads that were let out and are not larger than the ledger, by size.
    released: Vec<Watch>,
}

/// What there is to verify.
struct Extent {
    head: Head,
    /// The size of the last signed head in the database; 0 without one.
    sealed: u64,
    /// The size that the sealer's own row says it signed last.
    signed: u64,
    last_seq: Option<u64>,
    last_data: Option<u64>,
    tiles: u64,
}

/// Verifies a ledger and tells `progress` now and then how many positions are done. Blocks, and starts threads and
/// runtimes of its own: from asynchronous code, call it where blocking is allowed.
pub fn verify(
    db: &Database,
    ledger: &LedgerName,
    options: &Options,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Report, VerifyError> {
    let runtime = runtime()?;
    let client = runtime.block_on(db.connect_alone())?;
    let extent = runtime.block_on(extent(db, &client, ledger))?;
    let coverage = runtime.block_on(Coverage::load(db, &client, extent.head.id))?;
    let mut report = Report::new();
    let released = released(options, &extent, &mut report);
    let job = Job {
        db,
        options,
        coverage,
        extent,
        released,
    };
    let mut merge = Merge::new(&job, report);
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..options.segments.clamp(1, MOST_THREADS) {
            let (sender, job, next, done, stop) = (sender.clone(), &job, &next, &done, &stop);
            scope.spawn(move || {
                let count =
                    |positions| progress(done.fetch_add(positions, Ordering::Relaxed) + positions);
                if let Err(error) = work(job, next, stop, &count, &sender) {
                    // The receiver waits until the last sender is gone.
                    let _ = sender.send(Err(error));
                }
            });
        }
        drop(sender);
        let collected = receiver.iter().try_for_each(|checked| {
            checked.and_then(|checked| {
                merge.take(checked, |tiles| runtime.block_on(tiles.load(db, &client)))
            })
        });
        stop.store(true, Ordering::Relaxed);
        collected
    })?;
    runtime.block_on(since::explain(&job, &client, &mut merge))?;
    Ok(merge.finish())
}

fn runtime() -> Result<Runtime, VerifyError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(VerifyError::Thread)
}

/// One thread: segment after segment until there is none left.
fn work(
    job: &Job<'_>,
    next: &AtomicU64,
    stop: &AtomicBool,
    count: &dyn Fn(u64),
    sender: &mpsc::Sender<Result<Checked, VerifyError>>,
) -> Result<(), VerifyError> {
    let runtime = runtime()?;
    let lanes = runtime.block_on(Lanes::connect(job.db))?;
    while !stop.load(Ordering::Relaxed) {
        let from = next.fetch_add(1, Ordering::Relaxed) * SEGMENT;
        if from >= job.extent.head.size {
            break;
        }
        let checked = runtime.block_on(segment::check(job, &lanes, from, count));
        let failed = checked.is_err();
        // Without a receiver nobody wants to know.
        if sender.send(checked).is_err() || failed {
            break;
        }
    }
    Ok(())
}

async fn extent(
    db: &Database,
    client: &tokio_postgres::Client,
    ledger: &LedgerName,
) -> Result<Extent, VerifyError> {
    let row = client
        .query_opt(include_str!("sql/extent.sql"), &[&ledger.as_str()])
        .await
        .map_err(db.error("reading the head"))?;
    let Some(row) = row else {
        let server = db.server().to_owned();
        return Err(VerifyError::NoLedger {
            ledger: ledger.clone(),
            server,
        });
    };
    let count = |name| {
        row.get::<_, Option<i64>>(name)
            .and_then(|n| u64::try_from(n).ok())
    };
    Ok(Extent {
        head: Head::from_row(db, row.get("ledger"), &row)?,
        sealed: count("sealed").unwrap_or(0),
        signed: count("signed").unwrap_or(0),
        last_seq: count("last_seq"),
        last_data: count("last_data"),
        tiles: count("tiles").unwrap_or(0),
    })
}

/// The heads that were let out, as far as they can be believed and compared.
fn released(options: &Options, extent: &Extent, report: &mut Report) -> Vec<Watch> {
    let mut watches = Vec::new();
    for text in &options.released {
        let opened = if options.keys.is_empty() {
            Checkpoint::parse_note(text.as_bytes()).map(|(head, _)| head)
        } else {
            Checkpoint::open(text.as_bytes(), &options.keys).map(|(head, _)| head)
        };
        let head = match opened {
            Ok(head) => head,
            Err(error) => {
                report.problem(
                    None,
                    segment::blame(&error),
                    format!("a head that was let out: {error}"),
                );
                continue;
            }
        };
        if head.origin != extent.head.origin {
            let detail = format!(
                "a head of {} was let out, and this is {}",
                head.origin, extent.head.origin
            );
            report.problem(None, What::RolledBack, detail);
        } else if head.size > extent.head.size {
            let detail = format!(
                "a head of {} positions was let out, and {} are stored",
                head.size, extent.head.size
            );
            report.problem(None, What::RolledBack, detail);
        } else {
            watches.push(Watch {
                size: head.size,
                root: head.root,
                blame: What::RolledBack,
            });
        }
    }
    watches.sort_by_key(|watch| watch.size);
    watches
}

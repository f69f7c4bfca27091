//! The projector: reads what comes after its checkpoint, folds it, and writes the changes with the checkpoint
//! in one transaction. A batch is in the views whole or not at all.

mod batch;
mod error;
mod rebuild;

use std::sync::Arc;
use std::time::Duration;

use ledger::Record;
use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use tokio::sync::{Notify, watch};

use crate::catalogs::Catalogs;
use crate::fact::Fact;
use crate::fold::{Changes, Checkpoint};
use crate::metrics::Metrics;
use crate::store::Place;
use crate::view;
use batch::{BATCH, activate, engine, fence, fold, read_facts, take_over, write};

pub(crate) use batch::compile;
pub use error::ProjectError;
pub(crate) use error::in_full;
pub use rebuild::rebuild;

/// How long to wait before looking again when nobody rings.
const POLL: Duration = Duration::from_millis(100);
/// How long to wait at most before trying a server again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Projects a ledger until `stop` is true, through outages of the database. `wake` is rung after commits to
/// the chain; nobody need ring it.
pub async fn run(
    db: &Database,
    ledger: &LedgerName,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
    wake: Arc<Notify>,
) -> Result<(), ProjectError> {
    let mut projector: Option<Projector> = None;
    let mut wait = POLL;
    while !*stop.borrow() {
        let folded = match &mut projector {
            None => Projector::take_over(db, ledger, metrics.clone())
                .await
                .map(|new| {
                    projector = Some(new);
                    1
                }),
            Some(projector) => projector.step().await,
        };
        let pause = match folded {
            Ok(0) => POLL,
            Ok(_) => {
                wait = POLL;
                continue;
            }
            Err(error) if error.is_unavailable() => {
                Metrics::add(&metrics.outages, 1);
                tracing::warn!(%ledger, error = in_full(&error), "projecting ledger {ledger} waits: PostgreSQL is away");
                wait = (wait * 2).min(LONGEST_WAIT);
                wait
            }
            Err(error) => return Err(error),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wake.notified() => {}
            ended = stop.changed() => if ended.is_err() { return Ok(()) },
        }
    }
    Ok(())
}

/// Makes the views of the catalog that holds at a position, where they are missing or another version made them.
async fn refresh_views(
    db: &Database,
    ledger: i32,
    catalogs: &Catalogs,
    next: u64,
) -> Result<(), ProjectError> {
    let failed = db.error("making the views");
    let mut client = db.client().await?;
    let tx = client.transaction().await.map_err(&failed)?;
    view::refresh(&tx, ledger, catalogs.at(next))
        .await
        .map_err(&failed)?;
    tx.commit().await.map_err(&failed)?;
    Ok(())
}

/// The one projector of a ledger, as long as nobody takes over from it.
#[derive(Debug)]
pub struct Projector {
    ledger: LedgerName,
    reader: Reader,
    epoch: i64,
    at: Checkpoint,
    catalogs: Catalogs,
    /// The batch after the last, read while that was written.
    ahead: Vec<Record>,
    /// False after an error: how far the views are is not known then.
    certain: bool,
    metrics: Arc<Metrics>,
}

impl Projector {
    /// Becomes the projector of a ledger and fences out whoever was it before.
    pub async fn take_over(
        db: &Database,
        ledger: &LedgerName,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ProjectError> {
        let reader = Reader::open(db, ledger).await?;
        let place = take_over(db, &reader).await?;
        let (ours, theirs) = (engine(), place.engine);
        if ours != theirs {
            return Err(ProjectError::OtherEngine {
                ledger: ledger.clone(),
                ours,
                theirs,
            });
        }
        let at = place.checkpoint;
        let mut catalogs = Catalogs::default();
        if let Some(last) = at.next.checked_sub(1) {
            let record = reader.record(last).await?;
            if record.map(|record| record.chain) != at.chain {
                return Err(ProjectError::OtherChain {
                    ledger: ledger.clone(),
                    next: at.next,
                });
            }
            if let Some(active) = reader.catalog_at(last).await? {
                catalogs.activate(active.seq, Arc::new(compile(&active)?));
            }
        }
        refresh_views(db, reader.id(), &catalogs, at.next).await?;
        Metrics::set(&metrics.next_seq, at.next);
        Ok(Self {
            ledger: ledger.clone(),
            reader,
            epoch: place.epoch,
            at,
            catalogs,
            ahead: Vec::new(),
            certain: true,
            metrics,
        })
    }

    /// Folds one batch and gives its length; 0 where there is nothing to fold.
    ///
    /// After an error the views are as before the batch or as after it, and the next call finds out which.
    pub async fn step(&mut self) -> Result<usize, ProjectError> {
        if !self.certain {
            self.find_place().await?;
        }
        let mut records = std::mem::take(&mut self.ahead);
        if records.is_empty() {
            records = self.reader.records(self.at.next, BATCH).await?;
        }
        if records.is_empty() {
            return Ok(0);
        }
        let facts = read_facts(records)?;
        activate(&self.reader, &mut self.catalogs, &facts).await?;
        self.certain = false;
        let changes = self.commit(&facts).await?;
        self.certain = true;
        self.at = changes.checkpoint;
        self.catalogs.forget_before(self.at.next);
        self.count(&changes, facts.len());
        Ok(facts.len())
    }

    async fn commit(&mut self, facts: &[Fact]) -> Result<Changes, ProjectError> {
        let db = self.reader.database().clone();
        let failed = db.error("folding a batch");
        let mut client = db.client().await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let place = fence(&tx, self.reader.id()).await.map_err(&failed)?;
        self.ours(place.as_ref())?;
        let changes = fold(
            &tx,
            &self.reader,
            &self.ledger,
            &self.catalogs,
            self.at,
            facts,
            &failed,
        )
        .await?;
        let full = u64::try_from(facts.len()).is_ok_and(|length| length >= BATCH);
        let next = async {
            if full {
                self.reader.records(changes.checkpoint.next, BATCH).await
            } else {
                Ok(Vec::new())
            }
        };
        let written = async {
            write(
                &tx,
                &self.reader,
                &self.ledger,
                self.epoch,
                self.at,
                &changes,
                &failed,
            )
            .await?;
            if !changes.activations.is_empty() {
                view::refresh(
                    &tx,
                    self.reader.id(),
                    self.catalogs.at(changes.checkpoint.next),
                )
                .await
                .map_err(&failed)?;
            }
            tx.commit()
                .await
                .map_err(|error| ProjectError::Database(failed(error)))
        };
        let (written, next) = tokio::join!(written, next);
        written?;
        // What could not be read ahead is read again by the next step.
        self.ahead = next.unwrap_or_default();
        Ok(changes)
    }

    async fn find_place(&mut self) -> Result<(), ProjectError> {
        let place = Place::read(self.reader.database(), self.reader.id()).await?;
        self.ours(place.as_ref())?;
        self.at = place.map(|place| place.checkpoint).unwrap_or_default();
        self.ahead.clear();
        self.certain = true;
        Ok(())
    }

    fn ours(&self, place: Option<&Place>) -> Result<(), ProjectError> {
        match place.map(|place| place.epoch) {
            Some(epoch) if epoch == self.epoch => Ok(()),
            theirs => Err(ProjectError::Fenced {
                ledger: self.ledger.clone(),
                ours: self.epoch,
                theirs: theirs.unwrap_or_default(),
            }),
        }
    }

    fn count(&self, changes: &Changes, events: usize) {
        let metrics = &self.metrics;
        Metrics::set(&metrics.next_seq, self.at.next);
        Metrics::set(
            &metrics.recorded_us,
            u64::try_from(self.at.recorded_us).unwrap_or_default(),
        );
        Metrics::add(&metrics.events, events);
        Metrics::add(&metrics.batches, 1);
        let derived = changes
            .verdicts
            .iter()
            .filter(|(_, known)| known.judged && known.seq.is_none());
        Metrics::add(&metrics.verdicts, derived.count());
        Metrics::add(
            &metrics.unexpected,
            usize::try_from(changes.unexpected).unwrap_or_default(),
        );
        if !changes.publish.is_empty() {
            metrics.new_in_outbox.notify_one();
        }
    }
}

//! The projector: reads what comes after its checkpoint, folds it, and writes the changes with the checkpoint
//! in one transaction. A batch is in the views whole or not at all.

mod batch;
mod compare;
mod error;
mod pipeline;
mod rebuild;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::fold::Scope;
use crate::metrics::Metrics;
use crate::query;
use crate::store::{Place, State};
use crate::view;
use batch::{Folding, take_over};
use pipeline::Pipeline;

pub(crate) use batch::compile;
pub use compare::{Difference, MOST_DIFFERENCES};
pub use error::ProjectError;
pub(crate) use ledger::words::in_full;
pub use rebuild::{Progress, Rebuild, compare, rebuild};

/// How long to wait before looking again when nobody rings.
const POLL: Duration = Duration::from_millis(100);
/// How often the open incidents are counted at most.
const RECOUNT: Duration = Duration::from_secs(1);
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
            Some(projector) => {
                projector.recount().await;
                projector.go_on().await
            }
        };
        if folded.is_ok() {
            metrics.project_outage.end();
        }
        let pause = match folded {
            Ok(0) => POLL,
            Ok(_) => {
                wait = POLL;
                continue;
            }
            Err(ProjectError::Switched { .. }) => {
                tracing::info!(%ledger, "the views of ledger {ledger} were rebuilt: projecting goes on in the new ones");
                projector = None;
                continue;
            }
            // It has let go of what it knew, and goes on from what is left.
            Err(ProjectError::Redacted { .. }) => continue,
            Err(error) if error.is_unavailable() => {
                Metrics::add(&metrics.outages, 1);
                metrics.project_outage.begin(in_full(&error));
                tracing::warn!(%ledger, error = in_full(&error), "projecting ledger {ledger} waits: PostgreSQL is away");
                wait = (wait * 2).min(LONGEST_WAIT);
                wait
            }
            Err(error) => return Err(error),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = wake.notified() => {}
            ended = stop.changed() => if ended.is_err() { break },
        }
    }
    if let Some(projector) = &mut projector {
        // What cannot be written now is folded again by whoever comes next.
        let _ = projector.settle().await;
    }
    Ok(())
}

/// Makes the views of the catalog that holds where a projection stands, where they are missing or another version made
/// them.
async fn refresh_views(folding: &Folding) -> Result<(), ProjectError> {
    let db = folding.reader.database();
    let failed = db.error("making the views");
    let mut client = db.client().await?;
    let tx = client.transaction().await.map_err(&failed)?;
    view::refresh(&tx, folding.reader.id(), folding.catalog(folding.next()))
        .await
        .map_err(&failed)?;
    tx.commit().await.map_err(&failed)?;
    Ok(())
}

/// The one projector of a ledger, as long as nobody takes over from it.
#[derive(Debug)]
pub struct Projector {
    pipeline: Pipeline,
    /// False after an error: how far the views are is not known then.
    certain: bool,
    /// Whether incidents changed since those that are open were counted, and when that was.
    uncounted: bool,
    counted_at: Option<Instant>,
    /// Whether that came to its end well.
    counting: Option<JoinHandle<bool>>,
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
        let folding = Folding::resume(reader, ledger, place, Scope::All).await?;
        refresh_views(&folding).await?;
        Metrics::set(&metrics.next_seq, folding.next());
        Ok(Self {
            pipeline: Pipeline::new(folding, State::Live, Some(metrics.clone())),
            certain: true,
            uncounted: true,
            counted_at: None,
            counting: None,
            metrics,
        })
    }

    /// Folds one batch, writes it, and gives its length; 0 where there is nothing to fold.
    ///
    /// After an error the views are as before the batch or as after it, and the next call finds out which.
    pub async fn step(&mut self) -> Result<usize, ProjectError> {
        loop {
            let folded = match self.go_on().await {
                Ok(length) => self.settle().await.map(|()| length),
                Err(error) => Err(error),
            };
            match folded {
                Err(ProjectError::Redacted { .. }) => {}
                folded => return folded,
            }
        }
    }

    /// Folds one batch, while those before it are written, and gives its length; 0 where there is nothing to fold, and
    /// then everything is written. An error may be about a batch before.
    pub async fn go_on(&mut self) -> Result<usize, ProjectError> {
        if !self.certain {
            self.find_place().await?;
        }
        self.certain = false;
        let length = self.pipeline.advance(u64::MAX).await?;
        self.certain = true;
        self.count();
        Ok(length)
    }

    /// Begins to count the open incidents anew where they may be others, once in a while. Nobody waits for it.
    async fn recount(&mut self) {
        if let Some(counting) = self.counting.take_if(|one| one.is_finished()) {
            self.uncounted |= !counting.await.unwrap_or(false);
        }
        let recent = |at: Instant| at.elapsed() < RECOUNT;
        if !self.uncounted || self.counting.is_some() || self.counted_at.is_some_and(recent) {
            return;
        }
        let (reader, metrics) = (self.pipeline.folding.reader.clone(), self.metrics.clone());
        self.counting = Some(tokio::spawn(async move {
            let counted = query::open_incidents(&reader).await;
            if let Ok(counted) = &counted {
                metrics.set_open(counted);
            }
            counted.is_ok()
        }));
        (self.uncounted, self.counted_at) = (false, Some(Instant::now()));
    }

    /// Waits until everything that was folded is written.
    pub async fn settle(&mut self) -> Result<(), ProjectError> {
        let was = std::mem::replace(&mut self.certain, false);
        self.pipeline.settle().await?;
        self.certain = was;
        self.count();
        Ok(())
    }

    async fn find_place(&mut self) -> Result<(), ProjectError> {
        self.pipeline.let_go().await;
        let reader = &self.pipeline.folding.reader;
        let place = Place::read(reader.database(), reader.id(), State::Live).await?;
        let ours = self.ours(place.as_ref())?;
        self.pipeline.folding.found(ours);
        self.certain = true;
        Ok(())
    }

    /// Whether the live views are those that we fold, and nobody took over.
    fn ours(&self, place: Option<&Place>) -> Result<Place, ProjectError> {
        let ours = &self.pipeline.folding.place;
        match place {
            Some(place) if place.projection != ours.projection => Err(self.switched()),
            Some(place) if place.epoch == ours.epoch => Ok(place.clone()),
            None => Err(self.switched()),
            theirs => Err(self.pipeline.folding.fenced(theirs)),
        }
    }

    fn switched(&self) -> ProjectError {
        ProjectError::Switched {
            ledger: self.pipeline.folding.ledger.clone(),
        }
    }

    fn count(&mut self) {
        for written in self.pipeline.written() {
            let metrics = &self.metrics;
            let at = written.checkpoint;
            Metrics::set(&metrics.next_seq, at.next);
            let recorded_us = u64::try_from(at.recorded_us).unwrap_or_default();
            Metrics::set(&metrics.recorded_us, recorded_us);
            Metrics::add(&metrics.events, written.events);
            Metrics::add(&metrics.batches, 1);
            Metrics::add(&metrics.verdicts, written.verdicts);
            let unexpected = usize::try_from(written.unexpected).unwrap_or_default();
            Metrics::add(&metrics.unexpected, unexpected);
            self.uncounted |= written.incidents;
        }
    }
}

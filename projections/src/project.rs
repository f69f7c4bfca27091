//! The projector: reads what comes after its checkpoint, folds it, and writes the changes with the checkpoint
//! in one transaction. A batch is in the views whole or not at all.

mod batch;
mod error;
mod rebuild;

use std::sync::Arc;
use std::time::Duration;

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use tokio::sync::{Notify, watch};

use crate::fact::Fact;
use crate::fold::{Changes, Scope};
use crate::metrics::Metrics;
use crate::store::{Place, State};
use crate::view;
use batch::{BATCH, Folding, not_folded, read_facts, take_over};

pub(crate) use batch::compile;
pub use error::ProjectError;
pub(crate) use error::in_full;
pub use rebuild::{Progress, Rebuild, rebuild};

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
            ended = stop.changed() => if ended.is_err() { return Ok(()) },
        }
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
    folding: Folding,
    /// Facts that were read and are not folded yet, from the next position on.
    ahead: Vec<Fact>,
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
        let folding = Folding::resume(reader, ledger, place, Scope::All).await?;
        refresh_views(&folding).await?;
        Metrics::set(&metrics.next_seq, folding.next());
        Ok(Self {
            folding,
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
        if self.ahead.is_empty() {
            let records = self
                .folding
                .reader
                .records(self.folding.next(), BATCH)
                .await?;
            self.ahead = read_facts(records)?;
        }
        if self.ahead.is_empty() {
            return Ok(0);
        }
        self.certain = false;
        let facts = self.folding.cut(&mut self.ahead).await?;
        let changes = self.commit(&facts).await?;
        self.certain = true;
        self.folding.committed(&changes);
        let length = facts.len();
        let mut rest = not_folded(facts, &changes);
        self.count(&changes, length - rest.len());
        if !rest.is_empty() {
            rest.append(&mut self.ahead);
            self.ahead = rest;
        }
        Ok(length)
    }

    async fn commit(&mut self, facts: &[Fact]) -> Result<Changes, ProjectError> {
        let db = self.folding.reader.database().clone();
        let failed = db.error("folding a batch");
        let mut client = db.client().await?;
        let tx = client.transaction().await.map_err(&failed)?;
        let place = Place::fence(&tx, self.folding.place.projection, State::Live)
            .await
            .map_err(&failed)?;
        self.ours(place.as_ref())?;
        let changes = self.folding.fold(&tx, facts, &failed).await?;
        let full = u64::try_from(facts.len()).is_ok_and(|length| length >= BATCH);
        let reader = &self.folding.reader;
        // The next batch is read while PostgreSQL writes this one.
        let whole = facts.last().map(|last| last.header.seq + 1) == Some(changes.checkpoint.next);
        let idle = full && whole && self.ahead.is_empty();
        let next = async {
            let mut facts = Vec::new();
            if idle {
                let records = reader.records(changes.checkpoint.next, BATCH).await?;
                facts = read_facts(records)?;
            }
            Ok::<_, ProjectError>(facts)
        };
        let written = async {
            self.folding.write(&tx, &changes, &failed).await?;
            if !changes.activations.is_empty() {
                let catalog = self.folding.catalog(changes.checkpoint.next);
                view::refresh(&tx, reader.id(), catalog)
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
        if idle {
            self.ahead = next.unwrap_or_default();
        }
        Ok(changes)
    }

    async fn find_place(&mut self) -> Result<(), ProjectError> {
        let reader = &self.folding.reader;
        let place = Place::read(reader.database(), reader.id(), State::Live).await?;
        let ours = self.ours(place.as_ref())?;
        self.folding.found(ours);
        self.ahead.clear();
        self.certain = true;
        Ok(())
    }

    /// Whether the live views are those that we fold, and nobody took over.
    fn ours(&self, place: Option<&Place>) -> Result<Place, ProjectError> {
        let ours = &self.folding.place;
        match place {
            Some(place) if place.projection != ours.projection => Err(self.switched()),
            Some(place) if place.epoch == ours.epoch => Ok(place.clone()),
            None => Err(self.switched()),
            theirs => Err(self.folding.fenced(theirs)),
        }
    }

    fn switched(&self) -> ProjectError {
        ProjectError::Switched {
            ledger: self.folding.ledger.clone(),
        }
    }

    fn count(&self, changes: &Changes, events: usize) {
        let metrics = &self.metrics;
        Metrics::set(&metrics.next_seq, self.folding.next());
        Metrics::set(
            &metrics.recorded_us,
            u64::try_from(self.folding.place.checkpoint.recorded_us).unwrap_or_default(),
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
        let told = changes.publish.is_empty() && changes.announce.is_empty();
        if !told || !changes.send.is_empty() {
            metrics.new_in_outbox.notify_one();
        }
    }
}

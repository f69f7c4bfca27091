//! Batches one after another: while some are written, the next is folded, and the one after that is read and parsed. What
//! is folded has not happened until it is written; after an error all that is in memory is thrown away.

use std::collections::VecDeque;
use std::sync::Arc;

use deadpool_postgres::Transaction;
use ledger::db::Database;
use ledger::read::Reader;
use schema::{Catalog, LedgerName};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fact::Fact;
use crate::fold::{Changes, Checkpoint, Loaded, Needs, UNWRITTEN};
use crate::metrics::Metrics;
use crate::project::batch::{BATCH, Folding, not_folded};
use crate::project::error::ProjectError;
use crate::store::{self, Place, State};
use crate::view;

/// From how many events on more are expected behind them and read ahead, and statements are planned anew for each batch:
/// plans that were made when the tables were young may look through them whole.
const MANY: usize = 500;

/// A projection that is folded batch by batch.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) folding: Folding,
    state: State,
    /// Who is told at once that the outbox has something new.
    metrics: Option<Arc<Metrics>>,
    /// Facts that were read and are not folded yet, from the next position on.
    ahead: Vec<Fact>,
    /// Those that come after them.
    reading: Option<JoinHandle<Result<Vec<Fact>, ProjectError>>>,
    writing: Writing,
}

/// What is counted of a batch once it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) checkpoint: Checkpoint,
    pub(super) events: usize,
    /// Verdicts that it derived.
    pub(super) verdicts: usize,
    pub(super) unexpected: u64,
    /// Whether incidents changed.
    pub(super) incidents: bool,
    /// Whether it ended with an activation.
    activates: bool,
}

impl Written {
    fn of(changes: &Changes, events: usize) -> Self {
        let derived = changes
            .verdicts
            .iter()
            .filter(|(_, known)| known.judged && known.seq.is_none());
        Self {
            checkpoint: changes.checkpoint,
            events,
            verdicts: derived.count(),
            unexpected: changes.unexpected,
            incidents: !changes.incidents.is_empty(),
            activates: !changes.activations.is_empty(),
        }
    }
}

/// Batches on their way into the database, [`UNWRITTEN`] at most, one after another.
#[derive(Debug, Default)]
pub(super) struct Writing {
    tasks: VecDeque<(JoinHandle<Result<(), ProjectError>>, Written)>,
    /// Says when the last of them is there.
    last: Option<oneshot::Receiver<()>>,
    /// Those that are there.
    done: Vec<Written>,
}

impl Writing {
    /// Whether what is on its way leaves all kinds indexed as they were, so that what it changed is known.
    fn keeps_kinds(&self) -> bool {
        let mut written = self.tasks.iter().map(|(_, written)| written);
        written.all(|written| !written.activates)
    }

    /// Begins to write a batch as soon as those before it are there; waits while too many are on their way. Its facts
    /// are let go by whoever writes it, since that takes a while.
    async fn begin(&mut self, batch: Batch, facts: Vec<Fact>) -> Result<(), ProjectError> {
        self.settle_but(usize::from(UNWRITTEN) - 1).await?;
        let (done, last) = oneshot::channel();
        let before = self.last.replace(last);
        let written = Written::of(&batch.changes, facts.len());
        let write = async move {
            drop(facts);
            if let Some(before) = before {
                // Whoever waits for that one is told why.
                before.await.map_err(|_| ProjectError::Ending)?;
            }
            batch.write().await?;
            // Nobody may wait for it.
            let _ = done.send(());
            Ok(())
        };
        self.tasks.push_back((tokio::spawn(write), written));
        Ok(())
    }

    /// Waits until all are there but so many.
    async fn settle_but(&mut self, most: usize) -> Result<(), ProjectError> {
        while self.tasks.len() > most
            && let Some((task, written)) = self.tasks.pop_front()
        {
            ended(task).await?;
            self.done.push(written);
        }
        Ok(())
    }

    /// Waits until all are there.
    async fn settle(&mut self) -> Result<(), ProjectError> {
        self.settle_but(0).await
    }

    /// Waits until nothing is on its way, whatever became of it.
    async fn let_go(&mut self) {
        while let Some((task, _)) = self.tasks.pop_front() {
            let _ = task.await;
        }
        self.last = None;
    }
}

/// What a task came to. It ends without a result only where the program ends.
async fn ended<T>(task: JoinHandle<Result<T, ProjectError>>) -> Result<T, ProjectError> {
    match task.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(ProjectError::Ending),
        },
    }
}

/// Where a fold gets what it lacks.
pub(super) enum Source<'a> {
    /// Within the transaction that will write.
    Within(&'a Transaction<'a>),
    /// From the database, once the batches before are in it, unless they have changed nothing of what is lacking.
    Behind(&'a mut Writing),
}

impl Source<'_> {
    /// Loads what a fold asks for.
    pub(super) async fn load(
        &mut self,
        db: &Database,
        projection: i32,
        needs: &Needs,
    ) -> Result<Loaded, ProjectError> {
        let failed = db.error("loading what a batch needs");
        let load = async |tx: &Transaction<'_>| {
            let loaded = store::load(tx, projection, needs).await;
            loaded.map_err(|error| ProjectError::Database(failed(error)))
        };
        match self {
            Self::Within(tx) => load(tx).await,
            Self::Behind(writing) => {
                if !(needs.are_names() && writing.keeps_kinds()) {
                    writing.settle().await?;
                }
                let mut client = db.client().await?;
                let tx = client.transaction().await.map_err(&failed)?;
                let sql = include_str!("../sql/by_keys.sql");
                let statement = tx.prepare_cached(sql).await.map_err(&failed)?;
                // Sent together, and carried out in this order.
                let set = async { Ok(tx.query(&statement, &[]).await.map_err(&failed)?) };
                let (_, loaded) = tokio::try_join!(set, load(&tx))?;
                Ok(loaded)
            }
        }
    }
}

impl Pipeline {
    /// Goes on where a projection stands, which is in this state; whoever publishes from it is told by these metrics.
    pub(super) fn new(folding: Folding, state: State, metrics: Option<Arc<Metrics>>) -> Self {
        Self {
            folding,
            state,
            metrics,
            ahead: Vec::new(),
            reading: None,
            writing: Writing::default(),
        }
    }

    /// Folds a batch of what is before `end` and begins to write it. Gives its length; 0 where there is nothing to fold,
    /// and then everything is written.
    pub(super) async fn advance(&mut self, end: u64) -> Result<usize, ProjectError> {
        self.find_facts(end).await?;
        if self.ahead.is_empty() {
            self.settle().await?;
            return Ok(0);
        }
        let mut facts = self.folding.cut(&mut self.ahead).await?;
        let mut source = Source::Behind(&mut self.writing);
        let changes = self.folding.fold(&facts, &mut source).await?;
        let length = facts.len();
        let mut rest = not_folded(&mut facts, &changes);
        rest.append(&mut self.ahead);
        self.ahead = rest;
        let next = changes.checkpoint;
        let batch = self.batch(changes);
        self.writing.begin(batch, facts).await?;
        self.folding.committed(next);
        Ok(length)
    }

    /// Waits until everything that was folded is written.
    pub(super) async fn settle(&mut self) -> Result<(), ProjectError> {
        self.writing.settle().await
    }

    /// What was written since this was asked last.
    pub(super) fn written(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.writing.done)
    }

    /// Lets go of what was read ahead, and waits for what is being written, whatever becomes of it.
    pub(super) async fn let_go(&mut self) {
        self.ahead.clear();
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
        self.writing.let_go().await;
    }

    /// Sees to it that the next facts are there, if there are any, and begins to read those after them.
    async fn find_facts(&mut self, end: u64) -> Result<(), ProjectError> {
        if self.ahead.is_empty() {
            if let Some(reading) = self.reading.take() {
                self.ahead = ended(reading).await?;
            }
            // What was read ahead may be old, and then there may be more by now.
            if self.ahead.is_empty() {
                self.ahead = read(self.folding.reader.clone(), self.folding.next(), end).await?;
            }
            self.ahead.retain(|fact| fact.header.seq < end);
        }
        // Large events come a few at a time, since what is read is bounded in bytes.
        let many = self.ahead.len() >= MANY;
        if let Some(last) = self.ahead.last().filter(|_| many)
            && self.reading.is_none()
        {
            let next = last.header.seq + 1;
            self.reading = Some(tokio::spawn(read(self.folding.reader.clone(), next, end)));
        }
        Ok(())
    }

    /// What a batch changed, to be written with the checkpoint in one transaction.
    fn batch(&self, changes: Changes) -> Batch {
        Batch {
            db: self.folding.reader.database().clone(),
            id: self.folding.reader.id(),
            ledger: self.folding.ledger.clone(),
            place: self.folding.place.clone(),
            state: self.state,
            metrics: self.metrics.clone(),
            active: (!changes.activations.is_empty())
                .then(|| self.folding.active(changes.checkpoint.next)),
            changes,
        }
    }
}

async fn read(reader: Reader, from: u64, end: u64) -> Result<Vec<Fact>, ProjectError> {
    let limit = end.saturating_sub(from).min(BATCH);
    if limit == 0 {
        return Ok(Vec::new());
    }
    Ok(Fact::read_all(reader.records(from, limit).await?)?)
}

/// A batch to be written.
struct Batch {
    db: Database,
    id: i32,
    ledger: LedgerName,
    /// Where it begins.
    place: Place,
    state: State,
    metrics: Option<Arc<Metrics>>,
    /// The catalog that it activated.
    active: Option<Arc<Catalog>>,
    changes: Changes,
}

impl Batch {
    async fn write(self) -> Result<(), ProjectError> {
        let failed = self.db.error("writing a batch");
        let mut client = self.db.client().await?;
        let tx = client.transaction().await.map_err(&failed)?;
        Place::prepare_fence(&tx).await.map_err(&failed)?;
        if self.changes.history.len() > MANY {
            let sql = "SET LOCAL plan_cache_mode = force_custom_plan";
            tx.batch_execute(sql).await.map_err(&failed)?;
        }
        // All of it is sent at once, the fence first: a small batch takes as long as the ways there and back. What the
        // fence says is looked at before anything else, and nothing has happened before the commit.
        let (place, moved) = tokio::join!(
            Place::fence(&tx, self.place.projection, self.state),
            async {
                tokio::try_join!(
                    store::changes(&tx, self.place.projection, &self.ledger, &self.changes),
                    self.place.advance(&tx, &self.changes),
                )
            },
        );
        self.is_ours(place.map_err(&failed)?.as_ref())?;
        let ((), moved) = moved.map_err(&failed)?;
        if !moved {
            // The fence holds the row, so nobody could have moved it.
            return Err(self.fenced(None));
        }
        if let Some(catalog) = self.active.as_ref().filter(|_| self.state == State::Live) {
            view::refresh(&tx, self.id, catalog)
                .await
                .map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)?;
        if let Some(metrics) = self.metrics.filter(|_| self.changes.publishes()) {
            metrics.lay(store::messages(&self.ledger, &self.changes));
        }
        Ok(())
    }

    /// Whether the projection is as it was when this batch was folded.
    fn is_ours(&self, place: Option<&Place>) -> Result<(), ProjectError> {
        let ledger = || self.ledger.clone();
        match place {
            // What was folded may rest on values that are not to be known any more.
            Some(place) if place.epoch == self.place.epoch => {
                if place.redactions == self.place.redactions {
                    Ok(())
                } else {
                    Err(ProjectError::Redacted { ledger: ledger() })
                }
            }
            None if self.state == State::Live => Err(ProjectError::Switched { ledger: ledger() }),
            theirs => Err(self.fenced(theirs)),
        }
    }

    fn fenced(&self, theirs: Option<&Place>) -> ProjectError {
        ProjectError::Fenced {
            ledger: self.ledger.clone(),
            ours: self.place.epoch,
            theirs: theirs.map(|place| place.epoch).unwrap_or_default(),
        }
    }
}

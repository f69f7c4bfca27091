//! Batches one after another: while one is written, the next is folded, and the one after that is read and parsed. What
//! is folded has not happened until it is written; after an error all that is in memory is thrown away.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use ledger::db::Database;
use ledger::read::Reader;
use schema::{Catalog, LedgerName};
use tokio::task::JoinHandle;

use crate::fact::Fact;
use crate::fold::{Changes, Loaded, Needs};
use crate::metrics::Metrics;
use crate::project::batch::{BATCH, Folding, not_folded, read_facts};
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

/// A batch that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) changes: Arc<Changes>,
    pub(super) events: usize,
}

/// At most one batch on its way into the database.
#[derive(Debug, Default)]
pub(super) struct Writing {
    task: Option<(JoinHandle<Result<(), ProjectError>>, Written)>,
    /// Those that are there.
    done: Vec<Written>,
}

impl Writing {
    /// Whether what is on its way leaves all kinds indexed as they were, so that what it changed is known.
    fn keeps_kinds(&self) -> bool {
        let written = self.task.as_ref().map(|(_, written)| written);
        written.is_none_or(|written| written.changes.activations.is_empty())
    }

    /// Waits until it is there.
    async fn settle(&mut self) -> Result<(), ProjectError> {
        if let Some((task, written)) = self.task.take() {
            ended(task).await?;
            self.done.push(written);
        }
        Ok(())
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
    /// From the database, once the batch before is in it, unless that has changed nothing of what is lacking.
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

    /// Folds a batch of what is before `end` and begins to write it, once the one before is written. Gives its length; 0
    /// where there is nothing to fold, and then everything is written.
    pub(super) async fn advance(&mut self, end: u64) -> Result<usize, ProjectError> {
        self.find_facts(end).await?;
        if self.ahead.is_empty() {
            self.settle().await?;
            return Ok(0);
        }
        let facts = self.folding.cut(&mut self.ahead).await?;
        let mut source = Source::Behind(&mut self.writing);
        let changes = Arc::new(self.folding.fold(&facts, &mut source).await?);
        self.settle().await?;
        let length = facts.len();
        let mut rest = not_folded(facts, &changes);
        let written = Written {
            changes: changes.clone(),
            events: length - rest.len(),
        };
        self.writing.task = Some((tokio::spawn(self.write(changes.clone())), written));
        self.folding.committed(&changes);
        rest.append(&mut self.ahead);
        self.ahead = rest;
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
        if let Some((task, _)) = self.writing.task.take() {
            let _ = task.await;
        }
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

    /// Writes what a batch changed, with the checkpoint, in one transaction.
    fn write(
        &self,
        changes: Arc<Changes>,
    ) -> impl Future<Output = Result<(), ProjectError>> + Send + use<> {
        let batch = Batch {
            db: self.folding.reader.database().clone(),
            id: self.folding.reader.id(),
            ledger: self.folding.ledger.clone(),
            place: self.folding.place.clone(),
            state: self.state,
            metrics: self.metrics.clone(),
            active: (!changes.activations.is_empty())
                .then(|| self.folding.active(changes.checkpoint.next)),
            changes,
        };
        async move { batch.write().await }
    }
}

async fn read(reader: Reader, from: u64, end: u64) -> Result<Vec<Fact>, ProjectError> {
    let limit = end.saturating_sub(from).min(BATCH);
    if limit == 0 {
        return Ok(Vec::new());
    }
    Ok(read_facts(reader.records(from, limit).await?)?)
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
    changes: Arc<Changes>,
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

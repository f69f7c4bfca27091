//! The steps of one batch, for the projector and for a rebuild.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use ledger::db::{Database, DbError};
use ledger::read::{ActiveCatalog, Reader};
use schema::{Activation, Catalog, ENGINE, LedgerName};

use crate::catalogs::Catalogs;
use crate::fact::Fact;
use crate::fold::{self, Changes, Checkpoint, Fold, Scope, World};
use crate::project::error::ProjectError;
use crate::project::pipeline::Source;
use crate::store::{self, Place};

/// How many events one transaction folds at most. An entity is written once a batch, however often it changed, and its
/// links, too, and what goes into an index goes there in its order, so more is cheaper: of 12,000 events each costs
/// PostgreSQL a third more. Who only follows what happens never sees as many. What is read at a time is bounded in bytes as
/// well.
pub(super) const BATCH: u64 = 40_000;

pub(super) fn engine() -> i32 {
    i32::try_from(ENGINE).unwrap_or(i32::MAX)
}

/// Becomes the one projector of a ledger's live views.
pub(super) async fn take_over(db: &Database, reader: &Reader) -> Result<Place, DbError> {
    let client = db.client().await?;
    let row = client
        .query_one(
            include_str!("../sql/take_over.sql"),
            &[&reader.id(), &engine()],
        )
        .await
        .map_err(db.error("taking over the views"))?;
    Ok(Place::from_row(&row))
}

/// What of a batch's facts was left to the next one, because very much was due before it.
pub(super) fn not_folded(facts: &mut Vec<Fact>, changes: &Changes) -> Vec<Fact> {
    let next = changes.checkpoint.next;
    facts.split_off(facts.partition_point(|fact| fact.header.seq < next))
}

/// Compiles an activated catalog.
pub(crate) fn compile(active: &ActiveCatalog) -> Result<Catalog, ProjectError> {
    let failed = |why: String| ProjectError::Catalog {
        seq: active.seq,
        why,
    };
    let activation = Activation::from_data(&active.activation)
        .map_err(|at| failed(format!("its data is wrong at {at:?}")))?;
    Catalog::compile(&activation, &active.texts).map_err(|wrong| {
        let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        failed(lines.join("; "))
    })
}

/// One projection on its way: what is folded, into which rows, and what is known of them.
#[derive(Debug)]
pub(super) struct Folding {
    pub(super) ledger: LedgerName,
    pub(super) reader: Reader,
    pub(super) place: Place,
    scope: Scope,
    catalogs: Catalogs,
    world: World,
}

impl Folding {
    /// Goes on where a projection stands, if that is a place of this chain.
    pub(super) async fn resume(
        reader: Reader,
        ledger: &LedgerName,
        place: Place,
        scope: Scope,
    ) -> Result<Self, ProjectError> {
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
        Ok(Self {
            ledger: ledger.clone(),
            reader,
            scope,
            catalogs,
            world: world_of(&place),
            place,
        })
    }

    /// The next position.
    pub(super) fn next(&self) -> u64 {
        self.place.checkpoint.next
    }

    /// The catalog that judges a position, which is the next or the one after this batch.
    pub(super) fn catalog(&self, seq: u64) -> &Catalog {
        self.catalogs.at(seq)
    }

    /// The same, to keep.
    pub(super) fn active(&self, seq: u64) -> Arc<Catalog> {
        Arc::clone(self.catalogs.at(seq))
    }

    /// Takes the facts of the next batch from the front of those that were read. Its catalogs are compiled.
    pub(super) async fn cut(&mut self, facts: &mut Vec<Fact>) -> Result<Vec<Fact>, ProjectError> {
        let rest = facts.split_off(fold::batch(facts));
        let batch = std::mem::replace(facts, rest);
        let activated = batch
            .iter()
            .filter(|fact| fact.is_own("catalog", "activated"));
        for fact in activated {
            if let Some(active) = self.reader.catalog_at(fact.header.seq).await? {
                self.catalogs
                    .activate(active.seq, Arc::new(compile(&active)?));
            }
        }
        Ok(batch)
    }

    /// Folds facts that are one batch, and loads what the fold asks for. After an error nothing is known any more.
    pub(super) async fn fold(
        &mut self,
        facts: &[Fact],
        source: &mut Source<'_>,
    ) -> Result<Changes, ProjectError> {
        let db = self.reader.database();
        let world = std::mem::take(&mut self.world);
        let at = self.place.checkpoint;
        let mut fold = Fold::begin(&self.ledger, &self.catalogs, &self.scope, at, world);
        let mut needs = fold.foresee(facts);
        let mut rest = facts;
        loop {
            if !needs.is_empty() {
                let loaded = source.load(db, self.place.projection, &needs).await?;
                fold = fold.supply(needs, loaded);
            }
            let (next, taken, lacks) = fold.steps(rest)?;
            (fold, needs) = (next, lacks);
            rest = rest.get(taken..).unwrap_or_default();
            if needs.is_empty() {
                let (changes, world) = fold.finish();
                self.world = world;
                return Ok(changes);
            }
        }
    }

    /// Writes what a batch changed, with the checkpoint.
    pub(super) async fn write(
        &self,
        tx: &Transaction<'_>,
        changes: &Changes,
        failed: &impl Fn(tokio_postgres::Error) -> DbError,
    ) -> Result<(), ProjectError> {
        store::changes(tx, self.place.projection, &self.ledger, changes)
            .await
            .map_err(failed)?;
        if self.place.advance(tx, changes).await.map_err(failed)? {
            return Ok(());
        }
        // The fence holds the row, so nobody could have moved it.
        Err(self.fenced(None))
    }

    /// The batch is committed: from here on the next one.
    pub(super) fn committed(&mut self, checkpoint: Checkpoint) {
        self.place.checkpoint = checkpoint;
        self.catalogs.forget_before(self.next());
    }

    /// How far the views are is not known: it was read anew.
    pub(super) fn found(&mut self, place: Place) {
        self.world = world_of(&place);
        self.place = place;
    }

    /// Where values were taken out since, what is in memory may be what was deleted.
    pub(super) fn heed(&mut self, place: &Place) {
        if place.redactions != self.place.redactions {
            self.place.redactions = place.redactions;
            self.world = world_of(&self.place);
        }
    }

    pub(super) fn fenced(&self, theirs: Option<&Place>) -> ProjectError {
        ProjectError::Fenced {
            ledger: self.ledger.clone(),
            ours: self.place.epoch,
            theirs: theirs.map(|place| place.epoch).unwrap_or_default(),
        }
    }
}

/// What is known of a projection before anything was read of it.
fn world_of(place: &Place) -> World {
    if place.checkpoint.next == 0 {
        World::of_nothing()
    } else {
        World::default()
    }
}

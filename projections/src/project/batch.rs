//! The steps of one batch, for the projector and for a rebuild.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use ledger::Record;
use ledger::db::{Database, DbError};
use ledger::read::{ActiveCatalog, Reader};
use schema::{Activation, Catalog, ENGINE, LedgerName};

use crate::catalogs::Catalogs;
use crate::fact::{Fact, Unreadable};
use crate::fold::{Changes, Checkpoint, Fold, Needs};
use crate::project::error::ProjectError;
use crate::store::{self, Place, bigint};

/// How many events one transaction folds. Beyond a thousand the cost an event no longer falls.
pub(super) const BATCH: u64 = 1000;

pub(super) fn engine() -> i32 {
    i32::try_from(ENGINE).unwrap_or(i32::MAX)
}

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

pub(super) async fn fence(
    tx: &Transaction<'_>,
    ledger: i32,
) -> Result<Option<Place>, tokio_postgres::Error> {
    let statement = tx.prepare_cached(include_str!("../sql/fence.sql")).await?;
    Ok(tx
        .query_opt(&statement, &[&ledger])
        .await?
        .as_ref()
        .map(Place::from_row))
}

pub(super) fn read_facts(records: Vec<Record>) -> Result<Vec<Fact>, Unreadable> {
    records.into_iter().map(Fact::read).collect()
}

/// Compiles what is activated among these facts.
pub(super) async fn activate(
    reader: &Reader,
    catalogs: &mut Catalogs,
    facts: &[Fact],
) -> Result<(), ProjectError> {
    for fact in facts
        .iter()
        .filter(|fact| fact.is_own("catalog", "activated"))
    {
        if let Some(active) = reader.catalog_at(fact.header.seq).await? {
            catalogs.activate(active.seq, Arc::new(compile(&active)?));
        }
    }
    Ok(())
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

pub(super) async fn fold(
    tx: &Transaction<'_>,
    reader: &Reader,
    ledger: &LedgerName,
    catalogs: &Catalogs,
    at: Checkpoint,
    facts: &[Fact],
    failed: &impl Fn(tokio_postgres::Error) -> DbError,
) -> Result<Changes, ProjectError> {
    let before = store::before(tx, reader.id(), &Needs::of(facts))
        .await
        .map_err(failed)?;
    let mut fold = Fold::new(ledger, catalogs, at, before);
    for fact in facts {
        fold = fold.apply(fact)?;
    }
    Ok(fold.finish())
}

pub(super) async fn write(
    tx: &Transaction<'_>,
    reader: &Reader,
    ledger: &LedgerName,
    epoch: i64,
    at: Checkpoint,
    changes: &Changes,
    failed: &impl Fn(tokio_postgres::Error) -> DbError,
) -> Result<(), ProjectError> {
    store::changes(tx, reader.id(), ledger, changes)
        .await
        .map_err(failed)?;
    let to = &changes.checkpoint;
    let chain = to.chain.as_ref().map(<[u8; 32]>::as_slice);
    let statement = tx
        .prepare_cached(include_str!("../sql/advance.sql"))
        .await
        .map_err(failed)?;
    let moved = tx
        .execute(
            &statement,
            &[
                &reader.id(),
                &epoch,
                &bigint(at.next),
                &bigint(to.next),
                &to.recorded_us,
                &chain,
            ],
        )
        .await
        .map_err(failed)?;
    if moved == 1 {
        Ok(())
    } else {
        // The fence holds the row, so only a rebuild of ours could have moved it.
        Err(ProjectError::Fenced {
            ledger: ledger.clone(),
            ours: epoch,
            theirs: epoch,
        })
    }
}

//! Making the views again from nothing.

use std::sync::Arc;

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;

use crate::catalogs::Catalogs;
use crate::fold::Checkpoint;
use crate::metrics::Metrics;
use crate::project::batch::{BATCH, activate, engine, fold, read_facts, take_over, write};
use crate::project::error::ProjectError;
use crate::store;

/// Folds a whole chain again in one transaction. Readers see the old views until it commits. Nothing that is
/// in the chain already is published again.
pub async fn rebuild(
    db: &Database,
    ledger: &LedgerName,
    metrics: Arc<Metrics>,
) -> Result<u64, ProjectError> {
    let reader = Reader::open(db, ledger).await?;
    let epoch = take_over(db, &reader).await?.epoch;
    let failed = db.error("rebuilding the views");
    let mut client = db.client().await?;
    let tx = client.transaction().await.map_err(&failed)?;
    store::forget(&tx, reader.id()).await.map_err(&failed)?;
    let engine = engine();
    tx.execute(
        include_str!("../sql/restart.sql"),
        &[&reader.id(), &epoch, &engine],
    )
    .await
    .map_err(&failed)?;
    let mut at = Checkpoint::default();
    let mut catalogs = Catalogs::default();
    loop {
        let records = reader.records(at.next, BATCH).await?;
        if records.is_empty() {
            break;
        }
        let facts = read_facts(records)?;
        activate(&reader, &mut catalogs, &facts).await?;
        let changes = fold(&tx, &reader, ledger, &catalogs, at, &facts, &failed).await?;
        write(&tx, &reader, ledger, epoch, at, &changes, &failed).await?;
        at = changes.checkpoint;
        catalogs.forget_before(at.next);
        Metrics::set(&metrics.next_seq, at.next);
    }
    tx.commit().await.map_err(&failed)?;
    Ok(at.next)
}

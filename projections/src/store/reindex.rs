//! Deriving the links of a kind anew, when a catalog indexes other places of it.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use serde_json::{Map, Value};
use tokio_postgres::Error;

use crate::entity::Key;
use crate::fold::{Reindex, Relinked, links};
use crate::store::count;
use crate::store::write::relink;

/// Deletes the links of the kind and derives them from its entities, a page at a time.
pub(super) async fn reindex(
    tx: &Transaction<'_>,
    projection: i32,
    reindex: &Reindex,
) -> Result<(), Error> {
    let kind = reindex.kind.to_string();
    let unlink = tx
        .prepare_cached(include_str!("../sql/unlink_kind.sql"))
        .await?;
    tx.execute(&unlink, &[&projection, &kind]).await?;
    if reindex.places.is_empty() {
        return Ok(());
    }
    let page = tx
        .prepare_cached(include_str!("../sql/entities_of.sql"))
        .await?;
    let mut after = String::new();
    loop {
        let rows = tx.query(&page, &[&projection, &kind, &after]).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.get(0);
        let found = rows.iter().map(|row| {
            // We wrote it, and PostgreSQL checked that it is JSON.
            let attributes: Map<String, Value> =
                serde_json::from_str(row.get(1)).unwrap_or_default();
            Relinked {
                key: Key::new(&kind, row.get(0)),
                created_seq: count(row.get(3)),
                before: Arc::default(),
                after: Arc::new(links(&reindex.places, row.get(2), &attributes)),
            }
        });
        let found: Vec<Relinked> = found.collect();
        relink(tx, projection, &found).await?;
    }
}

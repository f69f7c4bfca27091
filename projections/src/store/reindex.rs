//! Deriving the links of a kind anew, when a catalog indexes other places of it.

use std::sync::Arc;

use deadpool_postgres::Transaction;
use serde_json::{Map, Value};
use tokio_postgres::Error;

use crate::entity::Key;
use crate::fold::{Linked, Reindex, links};
use crate::store::count;
use crate::store::write::write_links;

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
        let mut found: Vec<Linked> = Vec::new();
        for row in &rows {
            // We wrote it, and PostgreSQL checked that it is JSON.
            let attributes: Map<String, Value> =
                serde_json::from_str(row.get(1)).unwrap_or_default();
            let key = Arc::new(Key::new(kind.as_str(), row.get::<_, &str>(0)));
            for link in links(&reindex.places, row.get(2), &attributes) {
                found.push(Linked {
                    key: key.clone(),
                    created_seq: count(row.get(3)),
                    link,
                });
            }
        }
        write_links(tx, projection, found.iter()).await?;
    }
}

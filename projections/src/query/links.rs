//! Relations between entities, both ways, and references to what is not there.

use ledger::db::Database;
use ledger::read::Reader;
use schema::{Catalog, LedgerName};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::entity::Key;
use crate::fold::links;
use crate::project::compile;
use crate::query::{Listed, QueryError, one_more};
use crate::store::count;

/// What an entity names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The field that names it, a path with dots; `[]` for the items of an array.
    pub field: String,
    /// The kind of what is named.
    pub kind: String,
    /// Its identifier.
    pub id: String,
    /// Its status; `null` where it has none, or is not there.
    pub status: Option<String>,
    /// Whether it is not there (yet).
    pub dangling: bool,
}

/// What names an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedBy {
    /// The kind of what names it.
    pub kind: String,
    /// That one's identifier.
    pub id: String,
    /// The field that names it.
    pub field: String,
    /// The status of what names it.
    pub status: Option<String>,
}

/// A reference to what is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dangling {
    /// The kind of the entity that names it.
    pub kind: String,
    /// That entity's identifier.
    pub id: String,
    /// The field that names it.
    pub field: String,
    /// The kind of what is not there.
    pub target_kind: String,
    /// Its identifier.
    pub target_id: String,
}

/// What an entity names, in the order of the fields' names. It follows from its attributes and the catalog of where the
/// views are.
pub async fn names(
    db: &Database,
    ledger: &LedgerName,
    key: &Key,
    limit: Option<u64>,
) -> Result<Listed<Named>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let failed = db.error("reading what an entity names");
    let (sql, id) = (include_str!("../sql/living.sql"), reader.id());
    let client = db.client().await?;
    let living = client.query_opt(sql, &[&id, &key.kind(), &key.id()]).await;
    // Looking for the catalog takes a connection of its own.
    drop(client);
    let Some(living) = living.map_err(&failed)? else {
        return Ok(Listed::cut(Vec::new(), limit));
    };
    // A catalog judges what comes after it.
    let active = match count(living.get(0)).checked_sub(1) {
        Some(last) => reader.catalog_at(last).await?,
        None => None,
    };
    let catalog = active.map_or_else(|| Ok(Catalog::bootstrap()), |active| compile(&active))?;
    let kind = key.kind().parse().ok();
    let places = kind.map_or(&[][..], |kind| catalog.indexed(&kind));
    // We wrote it, and PostgreSQL checked that it is JSON.
    let attributes: Map<String, Value> = serde_json::from_str(living.get(2)).unwrap_or_default();
    let mut links = links(places, living.get(1), &attributes);
    links.retain(|link| !link.target_kind.is_empty());
    links.truncate(usize::try_from(one_more(limit)).unwrap_or(usize::MAX));
    let kinds: Vec<&str> = links.iter().map(|link| &*link.target_kind).collect();
    let ids: Vec<&str> = links.iter().map(|link| link.target_id.as_str()).collect();
    let sql = include_str!("../sql/named.sql");
    let client = db.client().await?;
    let rows = client.query(sql, &[&id, &kinds, &ids]).await;
    let rows = rows.map_err(&failed)?;
    let named = links.iter().zip(&rows).map(|(link, row)| Named {
        field: link.field.to_string(),
        kind: link.target_kind.to_string(),
        id: link.target_id.clone(),
        status: row.get(0),
        dangling: row.get(1),
    });
    Ok(Listed::cut(named.collect(), limit))
}

/// What names an entity, in the order of kinds and fields. It need not be there itself.
pub async fn named_by(
    db: &Database,
    ledger: &LedgerName,
    key: &Key,
    limit: Option<u64>,
) -> Result<Listed<NamedBy>, QueryError> {
    let sql = include_str!("../sql/links_to.sql");
    let read = |row: &Row| NamedBy {
        kind: row.get(0),
        id: row.get(1),
        field: row.get(2),
        status: row.get(3),
    };
    list(db, ledger, sql, &[&key.kind(), &key.id()], limit, read).await
}

/// References to what is not there, of all entities or those of a kind.
pub async fn dangling(
    db: &Database,
    ledger: &LedgerName,
    kind: Option<&str>,
    limit: Option<u64>,
) -> Result<Listed<Dangling>, QueryError> {
    let sql = include_str!("../sql/links_dangling.sql");
    list(db, ledger, sql, &[&kind], limit, |row| Dangling {
        kind: row.get(0),
        id: row.get(1),
        field: row.get(2),
        target_kind: row.get(3),
        target_id: row.get(4),
    })
    .await
}

async fn list<T>(
    db: &Database,
    ledger: &LedgerName,
    sql: &str,
    which: &[&(dyn ToSql + Sync)],
    limit: Option<u64>,
    read: impl Fn(&Row) -> T,
) -> Result<Listed<T>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let (id, most) = (reader.id(), one_more(limit));
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&id];
    parameters.extend_from_slice(which);
    parameters.push(&most);
    let client = db.client().await?;
    let rows = client
        .query(sql, &parameters)
        .await
        .map_err(db.error("reading relations"))?;
    Ok(Listed::cut(rows.iter().map(read).collect(), limit))
}

//! Where a ledger stands, as far as deleting depends on it.

use crate::db::DbError;
use crate::read::Reader;

/// The size of the last signed head; 0 before the first.
pub async fn sealed(reader: &Reader) -> Result<u64, DbError> {
    Ok(one(reader, include_str!("../sql/sealed.sql"))
        .await?
        .unwrap_or(0))
}

/// The position of the last activation of a catalog; `None` before the first.
pub async fn activated(reader: &Reader) -> Result<Option<u64>, DbError> {
    one(reader, include_str!("../sql/activated.sql")).await
}

async fn one(reader: &Reader, sql: &str) -> Result<Option<u64>, DbError> {
    let db = reader.database();
    let client = db.client().await?;
    let row = client.query_opt(sql, &[&reader.id()]).await;
    let row = row.map_err(db.error("looking where the ledger stands"))?;
    Ok(row.and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok()))
}

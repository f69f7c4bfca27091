//! Making the views in the database, in the caller's transaction.

use std::collections::{BTreeMap, BTreeSet};

use deadpool_postgres::Transaction;
use schema::Catalog;
use tokio_postgres::Error;

use super::flat::{Flat, of_kind};
use super::name::quoted;
use super::plan::{View, plan};

/// Two projectors of one database take turns.
const LOCK: i64 = 0x0076_6965_7762;

/// Makes the views what this ledger's catalog asks for, and those of the other ledgers in the database: makes what is
/// missing, replaces what is defined otherwise, drops what nobody asks for any more. Where all is as it should be, it
/// only looks.
pub(crate) async fn refresh(
    tx: &Transaction<'_>,
    ledger: i32,
    catalog: &Catalog,
) -> Result<(), Error> {
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    want(tx, ledger, catalog).await?;
    let wanted = tx
        .query(include_str!("../sql/wanted_views.sql"), &[])
        .await?;
    let mut ledgers: BTreeMap<i32, Vec<Flat>> = BTreeMap::new();
    for row in &wanted {
        // A row that another version wrote otherwise is that version's to make.
        if let Ok(flat) = serde_json::from_str(row.get(1)) {
            ledgers.entry(row.get(0)).or_default().push(flat);
        }
    }
    let ledgers: Vec<Vec<Flat>> = ledgers.into_values().collect();
    make(tx, &plan(&ledgers)).await
}

/// Notes what this ledger asks for.
async fn want(tx: &Transaction<'_>, ledger: i32, catalog: &Catalog) -> Result<(), Error> {
    let flats: Vec<Flat> = catalog.kinds().map(of_kind).collect();
    let kinds: Vec<&str> = flats.iter().map(|flat| flat.kind.as_str()).collect();
    let texts: Vec<String> = flats
        .iter()
        .map(|flat| serde_json::to_string(flat).unwrap_or_default())
        .collect();
    tx.execute(
        include_str!("../sql/forget_wanted_views.sql"),
        &[&ledger, &kinds],
    )
    .await?;
    tx.execute(
        include_str!("../sql/write_wanted_views.sql"),
        &[&ledger, &kinds, &texts],
    )
    .await?;
    Ok(())
}

async fn make(tx: &Transaction<'_>, views: &[View]) -> Result<(), Error> {
    let (mut made, mut there) = state(tx).await?;
    let names: BTreeSet<&str> = views.iter().map(|view| view.name.as_str()).collect();
    for name in made.keys().filter(|name| !names.contains(name.as_str())) {
        drop_view(tx, name).await?;
    }
    for view in views {
        let digest = view.digest();
        if made.get(&view.name) == Some(&digest) && there.contains(&view.name) {
            continue;
        }
        if !replace(tx, view).await? {
            drop_view(tx, &view.name).await?;
            tx.batch_execute(&view.definition()).await?;
            // What read the old one went with it.
            (made, there) = state(tx).await?;
        }
        tx.batch_execute(&view.rights()).await?;
        tx.execute(
            include_str!("../sql/write_made_view.sql"),
            &[&view.name, &digest],
        )
        .await?;
    }
    Ok(())
}

/// What was made, and which of all views are there.
async fn state(
    tx: &Transaction<'_>,
) -> Result<(BTreeMap<String, String>, BTreeSet<String>), Error> {
    let made = tx.query(include_str!("../sql/made_views.sql"), &[]).await?;
    let there = tx
        .query(include_str!("../sql/views_there.sql"), &[])
        .await?;
    Ok((
        made.iter().map(|row| (row.get(0), row.get(1))).collect(),
        there.iter().map(|row| row.get(0)).collect(),
    ))
}

/// Replaces it where its columns allow that: views of others that read it stay.
async fn replace(tx: &Transaction<'_>, view: &View) -> Result<bool, Error> {
    tx.batch_execute("SAVEPOINT view").await?;
    let replaced = tx.batch_execute(&view.definition()).await.is_ok();
    let end = if replaced {
        "RELEASE SAVEPOINT view"
    } else {
        "ROLLBACK TO SAVEPOINT view; RELEASE SAVEPOINT view"
    };
    tx.batch_execute(end).await?;
    Ok(replaced)
}

async fn drop_view(tx: &Transaction<'_>, name: &str) -> Result<(), Error> {
    tx.batch_execute(&format!(
        "DROP VIEW IF EXISTS views.{} CASCADE",
        quoted(name)
    ))
    .await?;
    tx.execute(include_str!("../sql/forget_made_view.sql"), &[&name])
        .await?;
    Ok(())
}

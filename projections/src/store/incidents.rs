//! Writing incidents and their causes.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

use crate::fold::Changes;
use crate::incident::{Incident, Word};
use crate::store::bigint;
use crate::store::copy::copy;
use crate::store::write::run;

/// Writes those that are new or changed.
pub(super) async fn write(
    tx: &Transaction<'_>,
    projection: i32,
    changes: &Changes,
) -> Result<(), Error> {
    let known = |one: &&Incident| changes.known_incidents.contains(&one.incident);
    let (old, new): (Vec<&Incident>, Vec<&Incident>) = changes.incidents.iter().partition(known);
    tokio::try_join!(
        insert(tx, projection, &new),
        update(tx, projection, &old),
        causes(tx, projection, &changes.causes),
    )?;
    Ok(())
}

async fn causes(
    tx: &Transaction<'_>,
    projection: i32,
    causes: &BTreeSet<(String, u64)>,
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_causes.sql");
    copy(tx, sql, causes, |row, (incident, cause_seq)| {
        row.bigint(bigint(*cause_seq))
            .integer(projection)
            .text(incident);
    })
    .await
}

/// Writes those that are new.
async fn insert(
    tx: &Transaction<'_>,
    projection: i32,
    incidents: &[&Incident],
) -> Result<(), Error> {
    let sql = include_str!("../sql/copy_incidents.sql");
    copy(tx, sql, incidents, |row, one| {
        row.integer(projection).text(&one.incident);
        row.text(&one.class).text(&one.kind).text(&one.id);
        row.text(&one.severity).text(one.status()).text(&one.rule);
        row.boolean(one.judged).bigint(bigint(one.opened_seq));
        row.bigint(one.opened_us).bigint(bigint(one.last_cause));
        row.optional_text(one.reopens.as_deref());
        for word in [one.acknowledged.as_ref(), one.resolved.as_ref()] {
            row.bigint(seq(word))
                .bigint(at_us(word))
                .optional_text(by(word));
        }
    })
    .await
}

/// What became of incidents that an earlier batch wrote.
async fn update(
    tx: &Transaction<'_>,
    projection: i32,
    incidents: &[&Incident],
) -> Result<(), Error> {
    fn column<'a, T>(incidents: &[&'a Incident], value: impl Fn(&'a Incident) -> T) -> Vec<T> {
        incidents.iter().map(|one| value(one)).collect()
    }
    if incidents.is_empty() {
        return Ok(());
    }
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &projection,
        &column(incidents, |one| one.incident.as_str()),
        &column(incidents, Incident::status),
        &column(incidents, |one| bigint(one.last_cause)),
        &column(incidents, |one| seq(one.acknowledged.as_ref())),
        &column(incidents, |one| at_us(one.acknowledged.as_ref())),
        &column(incidents, |one| by(one.acknowledged.as_ref())),
        &column(incidents, |one| seq(one.resolved.as_ref())),
        &column(incidents, |one| at_us(one.resolved.as_ref())),
        &column(incidents, |one| by(one.resolved.as_ref())),
    ];
    run(tx, include_str!("../sql/update_incidents.sql"), &parameters).await
}

fn seq(word: Option<&Word>) -> Option<i64> {
    word.map(|word| bigint(word.seq))
}

fn at_us(word: Option<&Word>) -> Option<i64> {
    word.map(|word| word.at_us)
}

fn by(word: Option<&Word>) -> Option<&str> {
    word?.by.as_deref()
}

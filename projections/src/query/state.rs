//! The state of entities, a page at a time: what was asked for may be less than what has to be looked at.

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use tokio_postgres::types::ToSql;

use crate::entity::{Entity, Key};
use crate::query::redaction::explain;
use crate::query::rows::StateRow;
use crate::query::{Listed, QueryError, When, Which, past, size};
use crate::store::{self, bigint};

/// How many entities are looked at at a time.
const PAGE: u64 = 1000;

/// Which states.
#[derive(Debug, Clone, Copy, Default)]
pub struct States<'a> {
    /// Of these entities.
    pub which: Which<'a>,
    /// In this status.
    pub status: Option<&'a str>,
    /// Whose last event is at this position or after it.
    pub from: u64,
    /// Of which this attribute is this text.
    pub attribute: Option<(&'a str, &'a str)>,
    /// So many of them; `None` is all.
    pub limit: Option<u64>,
}

/// The state of entities, in the order of kind and identifier.
///
/// In the past: an entity whose last event is within what is asked for is as it is now; of any other the own
/// events are read from the chain and folded again, each by the catalog of its position.
pub async fn states(
    db: &Database,
    ledger: &LedgerName,
    asked: &States<'_>,
    when: When,
) -> Result<Listed<StateRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = size(&reader, when).await?;
    let limit = asked.limit.unwrap_or(u64::MAX);
    let mut listed = Listed {
        rows: Vec::new(),
        more: false,
    };
    let mut after = Key::new("", "");
    let mut page = PAGE.min(limit.saturating_add(1));
    loop {
        let found = read(&reader, asked, when, size, &after, page).await?;
        let whole = u64::try_from(found.len()).is_ok_and(|length| length < page);
        if let Some((last, _)) = found.last() {
            after.clone_from(last);
        }
        for (key, entity) in past_of(&reader, found, when, size).await? {
            if !takes(asked, &entity) {
                continue;
            }
            if u64::try_from(listed.rows.len()).is_ok_and(|length| length >= limit) {
                listed.more = true;
                return explained(&reader, listed).await;
            }
            listed.rows.push(StateRow::new(&key, entity));
        }
        if whole {
            return explained(&reader, listed).await;
        }
        page = PAGE;
    }
}

/// Says of each state whose data is gone in part why.
async fn explained(
    reader: &Reader,
    mut listed: Listed<StateRow>,
) -> Result<Listed<StateRow>, QueryError> {
    let redacted = listed.rows.iter().filter_map(|row| row.redacted_seq);
    let why = explain(reader, redacted.collect()).await?;
    for row in &mut listed.rows {
        row.redaction = row.redacted_seq.and_then(|seq| why.get(&seq).cloned());
    }
    Ok(listed)
}

async fn past_of(
    reader: &Reader,
    mut found: Vec<(Key, Entity)>,
    when: When,
    size: u64,
) -> Result<Vec<(Key, Entity)>, QueryError> {
    if let When::AsOf(us) = when {
        return past::as_of(reader, found, us).await;
    }
    past::rewind(reader, &mut found, size).await?;
    Ok(found)
}

/// Whether it is asked for, by what it was then.
fn takes(asked: &States<'_>, entity: &Entity) -> bool {
    let says = |(name, text): (&str, &str)| {
        let value = entity.attributes.get(name).and_then(|value| value.as_str());
        value == Some(text)
    };
    entity.seq >= asked.from
        && asked.attribute.is_none_or(says)
        && asked
            .status
            .is_none_or(|status| entity.status.name() == Some(status))
}

async fn read(
    reader: &Reader,
    asked: &States<'_>,
    when: When,
    size: u64,
    after: &Key,
    page: u64,
) -> Result<Vec<(Key, Entity)>, QueryError> {
    let db = reader.database();
    // What is true of an entity now says nothing of what it was.
    let now = matches!(when, When::Now);
    let status = asked.status.filter(|_| now);
    let from = if now { asked.from } else { 0 };
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 9] = [
        &reader.id(),
        &asked.which.kind,
        &asked.which.id,
        &bigint(size),
        &after.kind(),
        &after.id(),
        &status,
        &bigint(from),
        &bigint(page),
    ];
    let rows = client
        .query(include_str!("../sql/states.sql"), &parameters)
        .await
        .map_err(db.error("reading states"))?;
    Ok(rows.iter().map(store::entity).collect())
}

//! Incidents, as they stand or stood.

use ledger::db::{Database, DbError};
use ledger::read::Reader;
use schema::LedgerName;
use schema::time::format_us;
use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::query::{Listed, QueryError, When, Which, one_more, size};
use crate::store::{bigint, count};

/// Which incidents.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incidents<'a> {
    /// About these entities.
    pub which: Which<'a>,
    /// Whose identifier begins like this.
    pub incident: Option<&'a str>,
    /// Of this class.
    pub class: Option<&'a str>,
    /// With one of these statuses; `None` is any.
    pub statuses: Option<&'a [&'a str]>,
    /// Of these severities; `None` is any.
    pub severities: Option<&'a [&'a str]>,
    /// Opened at this position or after it.
    pub from: u64,
    /// So many of them; `None` is all.
    pub limit: Option<u64>,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    /// Its identifier.
    pub incident: String,
    /// Its class.
    pub class: String,
    /// `info`, `warning`, `error` or `critical`.
    pub severity: String,
    /// `open`, `acknowledged` or `resolved`.
    pub status: String,
    /// The kind of the entity that it is about.
    pub kind: String,
    /// That entity's identifier.
    pub id: String,
    /// When its first cause was recorded.
    pub opened_at: String,
    /// When somebody said that they look after it.
    pub acknowledged_at: Option<String>,
    /// When it ended.
    pub resolved_at: Option<String>,
    /// The positions of its causes, rising.
    pub causes: Vec<u64>,
    /// Where the event stands that says that it opened; `null` while that is on its way.
    pub seq: Option<u64>,
    /// The rule that opened it; empty where none did.
    pub rule: String,
    /// Who acknowledged it.
    pub acknowledged_by: Option<String>,
    /// The position of the event by which they did.
    pub acknowledged_seq: Option<u64>,
    /// Who resolved it; `null` where a rule did.
    pub resolved_by: Option<String>,
    /// The position of the event by which they did, or of what mended it.
    pub resolved_seq: Option<u64>,
    /// The incident of the same class about the same entity before it.
    pub reopens: Option<String>,
    /// False where its facts were deleted before the views were made: it is taken as it came.
    pub judged: bool,
}

/// The incidents that are asked for, in the order in which they opened.
pub async fn incidents(
    db: &Database,
    ledger: &LedgerName,
    asked: &Incidents<'_>,
    when: When,
) -> Result<Listed<IncidentRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 10] = [
        &reader.id(),
        &size,
        &asked.which.kind,
        &asked.which.id,
        &asked.incident,
        &asked.class,
        &asked.statuses,
        &asked.severities,
        &bigint(asked.from),
        &one_more(asked.limit),
    ];
    let rows = client
        .query(include_str!("../sql/incidents.sql"), &parameters)
        .await
        .map_err(db.error("reading incidents"))?;
    Ok(Listed::cut(
        rows.iter().map(incident).collect(),
        asked.limit,
    ))
}

/// How many are not resolved, by severity; those of which there are none are left out.
pub async fn open_incidents(reader: &Reader) -> Result<Vec<(String, u64)>, DbError> {
    let db = reader.database();
    let client = db.client().await?;
    let rows = client
        .query(include_str!("../sql/open_incidents.sql"), &[&reader.id()])
        .await
        .map_err(db.error("counting open incidents"))?;
    let counted = |row: &Row| (row.get(0), count(row.get(1)));
    Ok(rows.iter().map(counted).collect())
}

fn incident(row: &Row) -> IncidentRow {
    let number = |name: &str| row.get::<_, Option<i64>>(name).map(count);
    let time = |name: &str| row.get::<_, Option<i64>>(name).map(format_us);
    let causes: Vec<i64> = row.get("causes");
    IncidentRow {
        incident: row.get("incident"),
        class: row.get("class"),
        severity: row.get("severity"),
        status: row.get("status"),
        kind: row.get("kind"),
        id: row.get("id"),
        opened_at: format_us(row.get("opened_us")),
        acknowledged_at: time("acknowledged_us"),
        resolved_at: time("resolved_us"),
        causes: causes.into_iter().map(count).collect(),
        seq: number("seq"),
        rule: row.get("rule"),
        acknowledged_by: row.get("acknowledged_by"),
        acknowledged_seq: number("acknowledged_seq"),
        resolved_by: row.get("resolved_by"),
        resolved_seq: number("resolved_seq"),
        reopens: row.get("reopens"),
        judged: row.get("judged"),
    }
}

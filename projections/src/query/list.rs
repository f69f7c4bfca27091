//! Lists that are read as they stand: history, violations, quarantine.

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use schema::time::format_us;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::entity::Key;
use crate::query::law::{self, Wordless};
use crate::query::redaction::explain;
use crate::query::rows::{HistoryRow, QuarantineRow, ViolationRow, ViolationStatus};
use crate::query::words;
use crate::query::{Listed, QueryError, When, Which, one_more, size};
use crate::store::{bigint, count};

/// The events of an entity, in the chain's order; none where it does not exist.
pub async fn history(
    db: &Database,
    ledger: &LedgerName,
    key: &Key,
    when: When,
) -> Result<Vec<HistoryRow>, QueryError> {
    Ok(histories(db, ledger, key, 0, None, when).await?.rows)
}

/// The events of an entity from a position on, in the chain's order, at most so many.
pub async fn histories(
    db: &Database,
    ledger: &LedgerName,
    key: &Key,
    from: u64,
    limit: Option<u64>,
    when: When,
) -> Result<Listed<HistoryRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let happened = match when {
        When::AsOf(us) => us,
        _ => i64::MAX,
    };
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 7] = [
        &reader.id(),
        &key.kind(),
        &key.id(),
        &bigint(from),
        &size,
        &happened,
        &one_more(limit),
    ];
    let rows = client
        .query(include_str!("../sql/history.sql"), &parameters)
        .await
        .map_err(db.error("reading a history"))?;
    let line = |row: &Row| HistoryRow {
        seq: count(row.get(0)),
        event_type: row.get(1),
        from: row.get(2),
        to: row.get(3),
        claimed_from: row.get(4),
        occurred_at: format_us(row.get(5)),
        recorded_at: format_us(row.get(6)),
        actor: row.get(7),
        legal: row.get(8),
        redacted: row.get(9),
        redaction: None,
    };
    drop(client);
    let mut lines: Vec<HistoryRow> = rows.iter().map(line).collect();
    let redacted = lines.iter().filter(|line| line.redacted);
    let mut why = explain(&reader, redacted.map(|line| line.seq).collect()).await?;
    for line in &mut lines {
        line.redaction = why.remove(&line.seq);
    }
    Ok(Listed::cut(lines, limit))
}

/// Which verdicts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Violations<'a> {
    /// About these entities.
    pub which: Which<'a>,
    /// With this status.
    pub status: Option<ViolationStatus>,
    /// Of this rule.
    pub rule: Option<&'a str>,
    /// Of these severities; `None` is any.
    pub severities: Option<&'a [&'a str]>,
    /// Caused at this position or after it.
    pub from: u64,
    /// So many of them; `None` is all.
    pub limit: Option<u64>,
}

/// The verdicts, in the order of their causes; those of one status, where that is given.
pub async fn violations(
    db: &Database,
    ledger: &LedgerName,
    which: Which<'_>,
    status: Option<ViolationStatus>,
    when: When,
) -> Result<Vec<ViolationRow>, QueryError> {
    let asked = Violations {
        which,
        status,
        ..Violations::default()
    };
    Ok(violated(db, ledger, &asked, when).await?.rows)
}

/// The verdicts that are asked for, in the order of their causes.
pub async fn violated(
    db: &Database,
    ledger: &LedgerName,
    asked: &Violations<'_>,
    when: When,
) -> Result<Listed<ViolationRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let status = asked.status.map(ViolationStatus::as_str);
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 9] = [
        &reader.id(),
        &asked.which.kind,
        &asked.which.id,
        &status,
        &size,
        &bigint(asked.from),
        &asked.rule,
        &asked.severities,
        &one_more(asked.limit),
    ];
    let rows = client
        .query(include_str!("../sql/violations.sql"), &parameters)
        .await
        .map_err(db.error("reading violations"))?;
    drop(client);
    let found = Listed::cut(rows.iter().map(violation).collect(), asked.limit);
    Ok(Listed {
        rows: law::word(&reader, found.rows).await?,
        more: found.more,
    })
}

fn violation(row: &Row) -> Wordless {
    let judged_from: Vec<i64> = row.get("judged_from");
    let found = ViolationRow {
        rule: row.get("rule"),
        severity: row.get("severity"),
        kind: row.get("kind"),
        id: row.get("id"),
        cause_seq: count(row.get("cause_seq")),
        seq: row.get::<_, Option<i64>>("seq").map(count),
        message: String::new(),
        // A CHECK constraint keeps other words out.
        status: row
            .get::<_, &str>("status")
            .parse()
            .unwrap_or(ViolationStatus::Open),
        how: row.get("how"),
        by_seq: row.get::<_, Option<i64>>("by_seq").map(count),
        violation: row.get("violation"),
        judged_from: judged_from.into_iter().map(count).collect(),
        catalog: row.get("catalog"),
        detail_key: row.get("detail_key"),
        judged: row.get("judged"),
        occurred_at: row.get::<_, Option<i64>>("occurred_us").map(format_us),
        recorded_at: row.get::<_, Option<i64>>("recorded_us").map(format_us),
        actor: row.get("actor"),
    };
    Wordless {
        row: found,
        found_by: row.get("found_by"),
        event_type: row.get("event_type"),
        from: row.get("from_status"),
        to: row.get("to_status"),
        claimed: row.get("claimed"),
    }
}

/// Which refused messages.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refused<'a> {
    /// For this reason, by its stable name.
    pub reason: Option<&'a str>,
    /// Of this publisher.
    pub publisher: Option<&'a str>,
    /// From this position on
    pub from: u64,
    /// up to this one, itself not included; `None` is as far as the views are.
    pub to: Option<u64>,
    /// So many of them; `None` is all.
    pub limit: Option<u64>,
}

/// The refused messages, in the chain's order.
pub async fn quarantine(
    db: &Database,
    ledger: &LedgerName,
    when: When,
) -> Result<Vec<QuarantineRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let asked = Refused {
        to: Some(size(&reader, when).await?),
        ..Refused::default()
    };
    Ok(refused(&reader, &asked).await?.rows)
}

/// The refused messages that are asked for, in the chain's order.
pub async fn refused(
    reader: &Reader,
    asked: &Refused<'_>,
) -> Result<Listed<QuarantineRow>, QueryError> {
    let db = reader.database();
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 6] = [
        &reader.id(),
        &bigint(asked.from),
        &bigint(asked.to.unwrap_or(u64::MAX)),
        &asked.reason,
        &asked.publisher,
        &one_more(asked.limit),
    ];
    let rows = client
        .query(include_str!("../sql/quarantine.sql"), &parameters)
        .await
        .map_err(db.error("reading the quarantine"))?;
    let refused = |row: &Row| {
        let reason: Option<String> = row.get(3);
        let at: String = row.get(4);
        QuarantineRow {
            seq: count(row.get(0)),
            received_at: format_us(row.get(1)),
            size: row.get::<_, Option<i64>>(2).map(count),
            detail: words::refusal(reason.as_deref(), &at),
            reason: reason.unwrap_or_else(|| "redacted".to_owned()),
            at,
            publisher: row.get(5),
            nats_subject: row.get(6),
            stream_seq: count(row.get(7)),
        }
    };
    Ok(Listed::cut(rows.iter().map(refused).collect(), asked.limit))
}

//! Lists that are read as they stand: history, violations, quarantine.

use ledger::db::Database;
use ledger::read::Reader;
use schema::LedgerName;
use schema::time::format_us;
use tokio_postgres::Row;

use crate::entity::Key;
use crate::query::rows::{HistoryRow, QuarantineRow, ViolationRow, ViolationStatus};
use crate::query::words::{self, Cause};
use crate::query::{QueryError, When, Which, size};
use crate::store::{bigint, count};

/// The events of an entity, in the chain's order; none where it does not exist.
pub async fn history(
    db: &Database,
    ledger: &LedgerName,
    key: &Key,
    when: When,
) -> Result<Vec<HistoryRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("../sql/history.sql"),
            &[&reader.id(), &key.kind, &key.id, &size],
        )
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
    };
    Ok(rows.iter().map(line).collect())
}

/// The verdicts, in the order of their causes; those of one status, where that is given.
pub async fn violations(
    db: &Database,
    ledger: &LedgerName,
    which: Which<'_>,
    status: Option<ViolationStatus>,
    when: When,
) -> Result<Vec<ViolationRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let status = status.map(ViolationStatus::as_str);
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("../sql/violations.sql"),
            &[&reader.id(), &which.kind, &which.id, &status, &size],
        )
        .await
        .map_err(db.error("reading violations"))?;
    Ok(rows.iter().map(violation).collect())
}

fn violation(row: &Row) -> ViolationRow {
    let judged_from: Vec<i64> = row.get("judged_from");
    let mut found = ViolationRow {
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
        violation: row.get("violation"),
        judged_from: judged_from.into_iter().map(count).collect(),
        catalog: row.get("catalog"),
        detail_key: row.get("detail_key"),
        judged: row.get("judged"),
        occurred_at: row.get::<_, Option<i64>>("occurred_us").map(format_us),
        recorded_at: row.get::<_, Option<i64>>("recorded_us").map(format_us),
        actor: row.get("actor"),
    };
    found.message = words::violation(
        &found,
        &Cause {
            event_type: row.get("event_type"),
            from: row.get("from_status"),
            to: row.get("to_status"),
            claimed: row.get("claimed"),
        },
    );
    found
}

/// The refused messages, in the chain's order.
pub async fn quarantine(
    db: &Database,
    ledger: &LedgerName,
    when: When,
) -> Result<Vec<QuarantineRow>, QueryError> {
    let reader = Reader::open(db, ledger).await?;
    let size = bigint(size(&reader, when).await?);
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("../sql/quarantine.sql"),
            &[&reader.id(), &size],
        )
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
        }
    };
    Ok(rows.iter().map(refused).collect())
}

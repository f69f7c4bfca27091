//! Reading what a batch needs.

use std::collections::HashMap;

use deadpool_postgres::Transaction;
use tokio_postgres::{Error, Row};

use crate::entity::{Entity, Key, Status};
use crate::fold::{Before, Known, Needs};
use crate::store::count;
use crate::verdict::Verdict;

/// Loads the entities and verdicts that a batch needs, as far as they exist.
pub(crate) async fn before(
    tx: &Transaction<'_>,
    ledger: i32,
    needs: &Needs,
) -> Result<Before, Error> {
    let mut before = Before::default();
    if !needs.entities.is_empty() {
        let kinds: Vec<&str> = needs.entities.iter().map(|key| key.kind.as_str()).collect();
        let ids: Vec<&str> = needs.entities.iter().map(|key| key.id.as_str()).collect();
        let statement = tx
            .prepare_cached(include_str!("../sql/load_entities.sql"))
            .await?;
        let rows = tx.query(&statement, &[&ledger, &kinds, &ids]).await?;
        before.entities = rows.iter().map(entity).collect();
    }
    if !needs.verdicts.is_empty() {
        let violations: Vec<&str> = needs.verdicts.iter().map(String::as_str).collect();
        let statement = tx
            .prepare_cached(include_str!("../sql/load_verdicts.sql"))
            .await?;
        let rows = tx.query(&statement, &[&ledger, &violations]).await?;
        before.verdicts = rows.iter().map(known).collect::<HashMap<_, _>>();
    }
    Ok(before)
}

/// An entity from the columns of `load_entities`.
pub(crate) fn entity(row: &Row) -> (Key, Entity) {
    let status = match (
        row.get::<_, Option<String>>(2),
        row.get(3),
        row.get(4),
        row.get(5),
    ) {
        (Some(name), Some(seq), Some(since_us), _) => Status::Is {
            name,
            seq: count(seq),
            since_us,
        },
        (_, _, _, Some(seq)) => Status::Unknown { seq: count(seq) },
        _ => Status::None,
    };
    let entity = Entity {
        status,
        // We wrote it, and PostgreSQL checked that it is JSON.
        attributes: serde_json::from_str(row.get(6)).unwrap_or_default(),
        created_seq: count(row.get(7)),
        seq: count(row.get(8)),
        events: count(row.get(9)),
        redacted_seq: row.get::<_, Option<i64>>(10).map(count),
    };
    (
        Key {
            kind: row.get(0),
            id: row.get(1),
        },
        entity,
    )
}

fn known(row: &Row) -> (String, Known) {
    let judged_from: Vec<i64> = row.get(6);
    let verdict = Verdict {
        rule: row.get(1),
        severity: row.get(2),
        kind: row.get(3),
        id: row.get(4),
        cause_seq: count(row.get(5)),
        judged_from: judged_from.into_iter().map(count).collect(),
        catalog: row.get(7),
        detail_key: row.get(8),
    };
    let known = Known {
        verdict,
        judged: row.get(9),
        seq: row.get::<_, Option<i64>>(10).map(count),
    };
    (row.get(0), known)
}

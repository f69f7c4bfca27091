//! Taking out of the views what deleted data said.

use std::collections::BTreeMap;
use std::sync::Arc;

use deadpool_postgres::Transaction;
use ledger::retention::Found;
use schema::Catalog;
use serde_json::Value;
use tokio_postgres::Error;

use crate::entity::Key;
use crate::fold::{Needs, Relinked, links};
use crate::retention::without_said;
use crate::store::{bigint, load, write};

/// A position whose data is deleted, and what that was.
#[derive(Debug)]
pub(crate) struct Gone<'a> {
    /// The position.
    pub(crate) found: &'a Found,
    /// What its data said.
    pub(crate) said: Value,
}

/// Takes values out of a projection: of what was asked for, all that the events said; else what is sensitive. Histories
/// are marked; what the state of an entity was stays.
pub(crate) async fn redact(
    tx: &Transaction<'_>,
    projection: i32,
    catalog: &Catalog,
    gone: &[&Gone<'_>],
    asked_for: bool,
) -> Result<(), Error> {
    let mut by_key: BTreeMap<Key, Vec<&Gone<'_>>> = BTreeMap::new();
    for one in gone {
        let spot = one.found.spot();
        let key = Key::new(spot.kind, spot.id);
        by_key.entry(key).or_default().push(one);
    }
    history(tx, projection, &by_key).await?;
    let needs = Needs {
        entities: by_key.keys().cloned().collect(),
        ..Needs::default()
    };
    let loaded = load(tx, projection, &needs).await?;
    for (key, entity) in loaded.entities {
        let Some(gone) = by_key.get(&key) else {
            continue;
        };
        let name = key.kind().parse().ok();
        let kind = name.as_ref().and_then(|name| catalog.kind(name));
        let mut attributes = entity.attributes.clone();
        for one in gone {
            without_said(
                &mut attributes,
                kind,
                &one.found.event_type,
                &one.said,
                asked_for,
            );
        }
        let first = gone.iter().map(|one| one.found.seq).min();
        let text = serde_json::to_string(&attributes);
        let text = text.unwrap_or_else(|_| unreachable!("a JSON object can be written"));
        let statement = tx
            .prepare_cached(include_str!("../sql/redact_entity.sql"))
            .await?;
        tx.execute(
            &statement,
            &[
                &projection,
                &key.kind(),
                &key.id(),
                &text,
                &first.map(bigint),
            ],
        )
        .await?;
        let places = name.as_ref().map_or(&[][..], |name| catalog.indexed(name));
        let status = entity.status.name();
        let before = links(places, status, &entity.attributes);
        let after = links(places, status, &attributes);
        let relinked = Relinked {
            key,
            created_seq: entity.created_seq,
            before: Arc::new(before),
            after: Arc::new(after),
        };
        write::relink(tx, projection, &[relinked]).await?;
    }
    let refused: Vec<i64> = gone
        .iter()
        .filter(|one| one.found.spot().kind == "ledger.event")
        .map(|one| bigint(one.found.seq))
        .collect();
    if !refused.is_empty() {
        let sql = include_str!("../sql/redact_quarantine.sql");
        tx.execute(sql, &[&projection, &refused]).await?;
    }
    let sql = include_str!("../sql/count_redaction.sql");
    tx.execute(sql, &[&projection]).await?;
    Ok(())
}

async fn history(
    tx: &Transaction<'_>,
    projection: i32,
    by_key: &BTreeMap<Key, Vec<&Gone<'_>>>,
) -> Result<(), Error> {
    let (mut kinds, mut ids, mut seqs) = (Vec::new(), Vec::new(), Vec::new());
    for (key, gone) in by_key {
        for one in gone {
            kinds.push(key.kind());
            ids.push(key.id());
            seqs.push(bigint(one.found.seq));
        }
    }
    let sql = include_str!("../sql/redact_history.sql");
    tx.execute(sql, &[&projection, &kinds, &ids, &seqs]).await?;
    Ok(())
}

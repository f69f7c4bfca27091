//! States as they were: an entity's own events folded again, up to a position.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::read::Reader;

use crate::catalogs::Catalogs;
use crate::entity::{Entity, Key, advance};
use crate::fact::Fact;
use crate::project::{ProjectError, compile};
use crate::query::QueryError;
use crate::store::{bigint, count};

/// How many entities are rewound, and how many events are read, at a time: it bounds the memory.
const ENTITIES: usize = 500;
const EVENTS: usize = 1000;

/// Turns the present states into those before position `size`. Every entity given began before it.
pub(super) async fn rewind(
    reader: &Reader,
    found: &mut [(Key, Entity)],
    size: u64,
) -> Result<(), QueryError> {
    let mut later: Vec<&mut (Key, Entity)> = found
        .iter_mut()
        .filter(|(_, entity)| entity.seq >= size)
        .collect();
    if later.is_empty() {
        return Ok(());
    }
    let catalogs = catalogs(reader, size).await?;
    for entities in later.chunks_mut(ENTITIES) {
        let positions = positions(reader, entities, size).await?;
        let mut states: Vec<Option<Entity>> = vec![None; entities.len()];
        let seqs: Vec<u64> = positions.keys().copied().collect();
        for seqs in seqs.chunks(EVENTS) {
            for record in reader.records_at(seqs).await? {
                let fact = Fact::read(record).map_err(ProjectError::from)?;
                let seq = fact.header.seq;
                let slot = positions
                    .get(&seq)
                    .and_then(|number| states.get_mut(*number));
                if let Some(slot) = slot {
                    let kind = catalogs.at(seq).kind(fact.event_type.kind());
                    *slot = advance(slot.take(), &fact, kind).entity;
                }
            }
        }
        for (entity, state) in entities.iter_mut().zip(states) {
            if let Some(state) = state {
                entity.1 = state;
            }
        }
    }
    Ok(())
}

/// The positions of their events, with the place of the entity among those given.
async fn positions(
    reader: &Reader,
    entities: &[&mut (Key, Entity)],
    size: u64,
) -> Result<BTreeMap<u64, usize>, QueryError> {
    let db = reader.database();
    let kinds: Vec<&str> = entities
        .iter()
        .map(|entity| entity.0.kind.as_str())
        .collect();
    let ids: Vec<&str> = entities.iter().map(|entity| entity.0.id.as_str()).collect();
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("../sql/positions.sql"),
            &[&reader.id(), &kinds, &ids, &bigint(size)],
        )
        .await
        .map_err(db.error("looking for an entity's events"))?;
    let place = |row: &tokio_postgres::Row| {
        // ORDINALITY counts from 1.
        let number = usize::try_from(row.get::<_, i64>(1)).unwrap_or_default();
        (count(row.get(0)), number.saturating_sub(1))
    };
    Ok(rows.iter().map(place).collect())
}

/// Every catalog that judged before position `size`.
async fn catalogs(reader: &Reader, size: u64) -> Result<Catalogs, QueryError> {
    let db = reader.database();
    let client = db.client().await?;
    let rows = client
        .query(
            include_str!("../sql/activations.sql"),
            &[&reader.id(), &bigint(size)],
        )
        .await
        .map_err(db.error("looking for activations"))?;
    drop(client);
    let mut catalogs = Catalogs::default();
    for row in rows {
        if let Some(active) = reader.catalog_at(count(row.get(0))).await? {
            catalogs.activate(active.seq, Arc::new(compile(&active)?));
        }
    }
    Ok(catalogs)
}

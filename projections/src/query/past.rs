//! States as they were: an entity's own events folded again, up to a position or a time.

use std::collections::HashMap;
use std::sync::Arc;

use ledger::read::Reader;
use tokio_postgres::types::ToSql;

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
    let sql = include_str!("../sql/positions.sql");
    for entities in later.chunks_mut(ENTITIES) {
        let keys: Vec<&Key> = entities.iter().map(|one| &one.0).collect();
        let events = events(reader, sql, &keys, bigint(size)).await?;
        let states = fold(reader, &catalogs, entities.len(), &events).await?;
        for (entity, state) in entities.iter_mut().zip(states) {
            if let Some(state) = state {
                entity.1 = state;
            }
        }
    }
    Ok(())
}

/// Turns the present states into those at a time in µs, by what is known now: the events that happened up to it, in
/// the order in which they happened. Entities that had not begun are left out.
pub(super) async fn as_of(
    reader: &Reader,
    found: Vec<(Key, Entity)>,
    us: i64,
) -> Result<Vec<(Key, Entity)>, QueryError> {
    if found.is_empty() {
        return Ok(found);
    }
    let catalogs = catalogs(reader, u64::MAX).await?;
    let sql = include_str!("../sql/events_as_of.sql");
    let mut were = Vec::new();
    let mut rest = found;
    while !rest.is_empty() {
        let after = rest.split_off(rest.len().min(ENTITIES));
        let keys: Vec<&Key> = rest.iter().map(|one| &one.0).collect();
        let mut events = events(reader, sql, &keys, us).await?;
        let unchanged = unchanged(&rest, &events);
        events.retain(|(number, _)| !unchanged.get(*number).copied().unwrap_or_default());
        let states = fold(reader, &catalogs, rest.len(), &events).await?;
        for (((key, entity), state), same) in rest.into_iter().zip(states).zip(unchanged) {
            let state = if same { Some(entity) } else { state };
            were.extend(state.map(|state| (key, state)));
        }
        rest = after;
    }
    Ok(were)
}

/// An entity before and after a position at which an event is about it.
pub(super) async fn around(
    reader: &Reader,
    catalogs: &Catalogs,
    key: &Key,
    seq: u64,
) -> Result<(Option<Entity>, Option<Entity>), QueryError> {
    let sql = include_str!("../sql/positions.sql");
    let until = bigint(seq.saturating_add(1));
    let mut events = events(reader, sql, &[key], until).await?;
    let first = async |events: &[(usize, u64)]| {
        let mut states = fold(reader, catalogs, 1, events).await?;
        Ok::<_, QueryError>(states.pop().flatten())
    };
    let after = first(&events).await?;
    events.retain(|(_, one)| *one < seq);
    Ok((first(&events).await?, after))
}

/// Those of which every event had happened, in the order of the chain: they are as they are now.
fn unchanged(entities: &[(Key, Entity)], events: &[(usize, u64)]) -> Vec<bool> {
    let mut seen: Vec<(u64, Option<u64>, bool)> = vec![(0, None, true); entities.len()];
    for (number, seq) in events {
        if let Some((many, last, rising)) = seen.get_mut(*number) {
            *rising &= last.is_none_or(|last| last < *seq);
            *many += 1;
            *last = Some(*seq);
        }
    }
    let same = entities.iter().zip(seen);
    same.map(|((_, entity), (many, _, rising))| rising && many == entity.events)
        .collect()
}

/// The states after these events, each given with its entity's place; those of one entity in their order.
async fn fold(
    reader: &Reader,
    catalogs: &Catalogs,
    many: usize,
    events: &[(usize, u64)],
) -> Result<Vec<Option<Entity>>, QueryError> {
    let mut states: Vec<Option<Entity>> = vec![None; many];
    for events in events.chunks(EVENTS) {
        let mut seqs: Vec<u64> = events.iter().map(|(_, seq)| *seq).collect();
        seqs.sort_unstable();
        let mut facts = HashMap::new();
        for record in reader.records_at(&seqs).await? {
            let fact = Fact::read(record).map_err(ProjectError::from)?;
            facts.insert(fact.header.seq, fact);
        }
        for (number, seq) in events {
            let (Some(slot), Some(fact)) = (states.get_mut(*number), facts.get(seq)) else {
                continue;
            };
            let kind = catalogs.at(*seq).kind(fact.event_type.kind());
            *slot = advance(slot.take(), fact, kind).entity;
        }
    }
    Ok(states)
}

/// The positions of events of these entities, each with the entity's place among those given.
async fn events(
    reader: &Reader,
    sql: &str,
    keys: &[&Key],
    until: i64,
) -> Result<Vec<(usize, u64)>, QueryError> {
    let db = reader.database();
    let kinds: Vec<&str> = keys.iter().map(|key| key.kind()).collect();
    let ids: Vec<&str> = keys.iter().map(|key| key.id()).collect();
    let client = db.client().await?;
    let parameters: [&(dyn ToSql + Sync); 4] = [&reader.id(), &kinds, &ids, &until];
    let rows = client
        .query(sql, &parameters)
        .await
        .map_err(db.error("looking for an entity's events"))?;
    let place = |row: &tokio_postgres::Row| {
        // ORDINALITY counts from 1.
        let number = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
        (number.saturating_sub(1), count(row.get(1)))
    };
    Ok(rows.iter().map(place).collect())
}

/// Every catalog that judged before position `size`.
pub(super) async fn catalogs(reader: &Reader, size: u64) -> Result<Catalogs, QueryError> {
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

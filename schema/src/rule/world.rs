//! A ledger's state in memory: for scenarios of rules, and as the model that a fold is held against.
//!
//! It keeps everything and looks everything up by going through it. What the fold of the projections does with
//! indexes, batches and a database comes to the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::inputs::{Event, Inputs, Known, Lookup};
use super::judge::{Judged, Step};
use crate::catalog::Catalog;
use crate::cel::View;
use crate::name::{KindName, Name};

/// An entity as it is kept.
#[derive(Debug, Clone, Default)]
struct Entity {
    status: Option<String>,
    since: (u64, i64, i64),
    attributes: Map<String, Value>,
    created: (u64, i64, i64),
    changed: (u64, i64, i64),
    kind: String,
    id: String,
}

impl Entity {
    fn view(&self) -> View<'_> {
        View {
            kind: &self.kind,
            id: &self.id,
            status: self.status.as_deref(),
            since_seq: self.since.0,
            since_us: self.since.1,
            since_recorded_us: self.since.2,
            attributes: &self.attributes,
            created_seq: self.created.0,
            created_us: self.created.1,
            created_recorded_us: self.created.2,
            seq: self.changed.0,
            changed_us: self.changed.1,
            changed_recorded_us: self.changed.2,
            redacted: false,
        }
    }
}

/// Every entity that there is.
#[derive(Debug, Clone, Default)]
pub struct World {
    entities: BTreeMap<(KindName, String), Entity>,
}

impl World {
    /// Folds an event and judges it. `kind` and `verb` are its type's.
    pub fn apply(
        &mut self,
        catalog: &Catalog,
        kind: &KindName,
        verb: &Name,
        event: Event<'_>,
    ) -> Judged {
        let key = (kind.clone(), event.subject.to_owned());
        let before = self.entities.get(&key).cloned();
        let declared = catalog.kind(kind);
        if declared.is_some_and(|kind| !kind.stateless) {
            let at = (event.seq, event.occurred_us, event.recorded_us);
            let entity = self.entities.entry(key.clone()).or_insert_with(|| Entity {
                created: at,
                kind: kind.to_string(),
                id: event.subject.to_owned(),
                ..Entity::default()
            });
            entity.changed = at;
            if let Some(kind) = declared {
                let step = kind.step(entity.status.as_deref(), verb, event.data);
                if let Some(to) = step.to {
                    entity.status = Some(to);
                    entity.since = at;
                }
                kind.merge(&mut entity.attributes, verb, event.data);
            }
        }
        let inputs = Inputs {
            event,
            entity: self.entities.get(&key).map(Entity::view),
            before: before.as_ref().map(Entity::view),
        };
        match catalog.rules().judge(kind, verb, &inputs, self) {
            Step::Judged(judged) => judged,
            // Everything is known here.
            Step::Needs(_) => Judged::default(),
        }
    }

    fn found(&self, lookup: &Lookup) -> Vec<&Entity> {
        let all = self
            .entities
            .iter()
            .filter(|((kind, _), _)| *kind == lookup.kind);
        let mut found: Vec<&Entity> = all
            .map(|(_, entity)| entity)
            .filter(|entity| {
                let has = |(path, value): &(String, String)| {
                    values(entity, path).iter().any(|one| one == value)
                };
                lookup.fields.iter().all(has)
            })
            .collect();
        found.sort_by_key(|entity| std::cmp::Reverse(entity.created.0));
        found
    }
}

/// The values at a dotted path, as an index keeps them.
fn values(entity: &Entity, path: &str) -> Vec<String> {
    if path == "status"
        && let Some(status) = &entity.status
    {
        return vec![status.clone()];
    }
    crate::rule::index_values(&entity.attributes, path)
}

impl Known for World {
    fn entity(&self, kind: &KindName, id: &str) -> Option<Option<View<'_>>> {
        let key = (kind.clone(), id.to_owned());
        Some(self.entities.get(&key).map(Entity::view))
    }

    fn matching(&self, lookup: &Lookup) -> Option<Vec<View<'_>>> {
        let most = usize::try_from(lookup.most).unwrap_or(usize::MAX);
        let found = self.found(lookup).into_iter().take(most);
        Some(found.map(Entity::view).collect())
    }

    fn count(&self, lookup: &Lookup) -> Option<u64> {
        u64::try_from(self.found(lookup).len()).ok()
    }
}

//! What a fold knows of the views: what it was given, with what its own steps made of it. It is kept from one batch to
//! the next, within a bound, so that what is in use is read once.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use schema::{Catalog, KindName};

use crate::entity::{Entity, Key};
use crate::fact::Fact;
use crate::fold::changes::{Changed, Changes, Known};
use crate::fold::link::{self, Link};
use crate::fold::needs::{Loaded, Look, Needs};

/// How much is kept between batches, in bytes of attributes and a flat sum for every entry. In memory it is a few times
/// as much.
const MOST: usize = 16 << 20;
/// The flat sum.
const ENTRY: usize = 256;

/// What is known, of all that was asked for.
#[derive(Debug, Default)]
pub struct World {
    entities: HashMap<Arc<Key>, Slot>,
    pub(super) verdicts: HashMap<String, Tracked>,
    looks: HashMap<Look, BTreeSet<String>>,
    counts: HashMap<Look, u64>,
    /// The entities that changed in this batch.
    changed: Vec<Arc<Key>>,
    batch: u64,
    weight: usize,
}

/// One entity, or that there is none.
#[derive(Debug, Default)]
struct Slot {
    entity: Option<Arc<Entity>>,
    links: Vec<Link>,
    /// Whether there is none. `entity` is empty, too, while it is taken out.
    absent: bool,
    /// Where it changed in this batch: whether it existed before, and its links then.
    before: Option<(bool, Vec<Link>)>,
    /// The last batch that used it.
    used: u64,
    weight: usize,
}

/// One verdict, or that there is none.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) known: Option<Known>,
    /// Whether an earlier batch derived it.
    pub(super) stored: bool,
    pub(super) dirty: bool,
    pub(super) used: u64,
}

impl World {
    /// What of these needs is not known here yet.
    pub fn lacks(&self, mut needs: Needs) -> Needs {
        needs
            .entities
            .retain(|key| !self.entities.contains_key(key));
        needs
            .verdicts
            .retain(|violation| !self.verdicts.contains_key(violation));
        needs.looks.retain(|look| !self.looks.contains_key(look));
        needs.counts.retain(|look| !self.counts.contains_key(look));
        needs
    }

    /// What of what a fact touches is not known here yet. Mostly nothing, and then nothing is allocated.
    pub(super) fn lacks_of(&self, fact: &Fact) -> Needs {
        let mut lacks = Needs::default();
        let unknown = |key: &Arc<Key>| !self.entities.contains_key(key);
        lacks
            .entities
            .extend(fact.key.iter().filter(|key| unknown(key)).cloned());
        if let Some((violation, about)) = fact.returned() {
            if !self.verdicts.contains_key(violation) {
                lacks.verdicts.insert(violation.to_owned());
            }
            let about = about.map(Arc::new).into_iter();
            lacks.entities.extend(about.filter(unknown));
        }
        lacks
    }

    /// Takes in what was asked for. The look-ups found what the last finished batch left; what this one changed is
    /// applied to them here.
    pub(super) fn supply(&mut self, needs: Needs, loaded: Loaded, catalog: &Catalog) {
        for (key, entity) in loaded.entities {
            let kind: Option<KindName> = key.kind.parse().ok();
            let places = kind.map_or(&[][..], |kind| catalog.indexed(&kind));
            let links = link::links(places, &entity.attributes);
            let weight = ENTRY + weight(&entity);
            let slot = Slot {
                entity: Some(Arc::new(entity)),
                links,
                absent: false,
                weight,
                used: self.batch,
                before: None,
            };
            self.weight += weight;
            self.entities.insert(Arc::new(key), slot);
        }
        for key in needs.entities {
            let used = self.batch;
            let absent = || Slot {
                used,
                absent: true,
                ..Slot::default()
            };
            self.entities.entry(key).or_insert_with(absent);
        }
        let mut verdicts = loaded.verdicts;
        for violation in needs.verdicts {
            let known = verdicts.remove(&violation);
            let stored = known.is_some();
            self.track(violation, known, stored, false);
        }
        self.supply_looks(needs.looks, loaded.looks);
        self.supply_counts(needs.counts, loaded.counts);
    }

    fn supply_looks(&mut self, asked: BTreeSet<Look>, mut found: HashMap<Look, BTreeSet<String>>) {
        for look in asked {
            let mut ids = found.remove(&look).unwrap_or_default();
            for (key, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => ids.remove(&key.id),
                    (false, true) => ids.insert(key.id.clone()),
                    _ => false,
                };
            }
            self.weight += ids.len() * ENTRY / 4;
            self.looks.insert(look, ids);
        }
    }

    fn supply_counts(&mut self, asked: BTreeSet<Look>, mut found: HashMap<Look, u64>) {
        for look in asked {
            let mut count = found.remove(&look).unwrap_or_default();
            for (_, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => count = count.saturating_sub(1),
                    (false, true) => count += 1,
                    _ => {}
                }
            }
            self.counts.insert(look, count);
        }
    }

    /// The entities of a look-up's kind that this batch has changed: whether it found them before, and finds them now.
    fn moved(&self, look: &Look) -> Vec<(Arc<Key>, bool, bool)> {
        let mut moved = Vec::new();
        for key in self.changed.iter().filter(|key| *key.kind == *look.kind) {
            if let Some(slot) = self.entities.get(key)
                && let Some((existed, before)) = &slot.before
            {
                if look.is_all() {
                    moved.push((key.clone(), *existed, slot.entity.is_some()));
                    continue;
                }
                let finds = |links: &[Link]| links.iter().any(|link| look_of(key, link) == *look);
                moved.push((key.clone(), finds(before), finds(&slot.links)));
            }
        }
        moved
    }

    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    /// An entity: `None` where it is not known here, `Some(None)` where it does not exist.
    pub(super) fn entity(&self, key: &Key) -> Option<Option<&Arc<Entity>>> {
        self.entities.get(key).map(|slot| slot.entity.as_ref())
    }

    /// What a look-up finds, where that is known here.
    pub(super) fn look(&self, look: &Look) -> Option<&BTreeSet<String>> {
        self.looks.get(look)
    }

    /// How many a look-up finds, where that is known here.
    pub(super) fn count(&self, look: &Look) -> Option<u64> {
        let counted = self.counts.get(look).copied();
        counted.or_else(|| u64::try_from(self.looks.get(look)?.len()).ok())
    }

    /// Takes an entity out to be changed; [`World::put`] brings it back.
    pub(super) fn take(&mut self, key: &Arc<Key>) -> Option<Arc<Entity>> {
        self.entities.get_mut(key)?.entity.take()
    }

    /// Puts an entity back as it is, without having changed it.
    pub(super) fn put_back(&mut self, key: &Arc<Key>, entity: Option<Arc<Entity>>) {
        if let Some(slot) = self.entities.get_mut(key) {
            slot.entity = entity;
        }
    }

    /// Puts an entity in that changed, with its links, by `growth` bytes at most. Look-ups find it from here on as it
    /// is now.
    pub(super) fn put(
        &mut self,
        key: &Arc<Key>,
        entity: Option<Entity>,
        links: Vec<Link>,
        growth: usize,
    ) {
        let absent = || Slot {
            absent: true,
            ..Slot::default()
        };
        let slot = self.entities.entry(key.clone()).or_insert_with(absent);
        if slot.before.is_none() {
            slot.before = Some((!slot.absent, slot.links.clone()));
            self.changed.push(key.clone());
        }
        let growth = growth + if slot.weight == 0 { ENTRY } else { 0 };
        slot.weight += growth;
        self.weight += growth;
        slot.used = self.batch;
        let existed = !std::mem::replace(&mut slot.absent, entity.is_none());
        let exists = entity.is_some();
        slot.entity = entity.map(Arc::new);
        let old = std::mem::replace(&mut slot.links, links);
        if self.looks.is_empty() && self.counts.is_empty() {
            return;
        }
        let (gone, new) = link::difference(&old, &slot.links);
        for link in gone {
            self.moves(key, &look_of(key, &link), false);
        }
        for link in new {
            self.moves(key, &look_of(key, &link), true);
        }
        if existed != exists {
            self.moves(key, &Look::all(key.kind.as_str().into()), exists);
        }
    }

    /// A look-up finds an entity from here on, or no longer.
    fn moves(&mut self, key: &Key, look: &Look, found: bool) {
        if let Some(ids) = self.looks.get_mut(look) {
            if found {
                ids.insert(key.id.clone());
            } else {
                ids.remove(&key.id);
            }
        }
        if let Some(count) = self.counts.get_mut(look) {
            *count = if found {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

    /// Notes a verdict.
    pub(super) fn track(
        &mut self,
        violation: String,
        known: Option<Known>,
        stored: bool,
        dirty: bool,
    ) {
        let tracked = Tracked {
            known,
            stored,
            dirty,
            used: self.batch,
        };
        self.verdicts.insert(violation, tracked);
    }

    /// Writes down what changed and begins the next batch. Kinds of `changes.reindex` are forgotten.
    pub(super) fn finish(&mut self, changes: &mut Changes) {
        let reindexed: HashSet<String> = changes
            .reindex
            .iter()
            .map(|one| one.kind.to_string())
            .collect();
        let mut keys = std::mem::take(&mut self.changed);
        keys.sort_unstable();
        for key in keys {
            let Some(slot) = self.entities.get_mut(&key) else {
                continue;
            };
            let (Some((existed, before)), Some(entity)) = (slot.before.take(), &slot.entity) else {
                continue;
            };
            if !reindexed.contains(&key.kind) && before != slot.links {
                let (gone, new) = link::difference(&before, &slot.links);
                changes
                    .unlinked
                    .extend(gone.into_iter().map(|link| (key.clone(), link)));
                changes
                    .linked
                    .extend(new.into_iter().map(|link| (key.clone(), link)));
            }
            changes.entities.push(Changed {
                key,
                entity: entity.clone(),
                new: !existed,
            });
        }
        self.finish_verdicts(changes);
        if !reindexed.is_empty() {
            self.forget(|key| reindexed.contains(&key.kind));
            self.looks
                .retain(|look, _| !reindexed.contains(&*look.kind));
            self.counts
                .retain(|look, _| !reindexed.contains(&*look.kind));
        }
        self.shrink();
        self.batch += 1;
    }

    fn finish_verdicts(&mut self, changes: &mut Changes) {
        let mut touched: Vec<(&String, &mut Tracked)> = self
            .verdicts
            .iter_mut()
            .filter(|(_, one)| one.dirty)
            .collect();
        touched.sort_by_key(|(violation, one)| {
            let cause = one.known.as_ref().map(|known| known.verdict.cause_seq);
            (cause, (*violation).clone())
        });
        for (violation, tracked) in touched {
            let Some(known) = &tracked.known else {
                continue;
            };
            match (known.seq, tracked.stored) {
                (None, _) => changes.publish.push(known.verdict.clone()),
                (Some(_), true) => changes.settled.push(violation.clone()),
                (Some(_), false) => {}
            }
            changes.verdicts.push((violation.clone(), known.clone()));
            (tracked.stored, tracked.dirty) = (true, false);
        }
        // A verdict is derived, comes back once, and is never asked for again. Those of the last batch are kept: it
        // may not be written yet.
        let batch = self.batch;
        self.verdicts.retain(|_, one| one.used == batch);
    }

    /// Lets what was used longest ago go, where there is too much. What this batch used stays: it may not be written
    /// yet.
    fn shrink(&mut self) {
        if self.weight <= MOST {
            return;
        }
        self.looks.clear();
        self.counts.clear();
        let mut uses: Vec<(u64, usize)> = self
            .entities
            .values()
            .map(|slot| (slot.used, slot.weight))
            .collect();
        uses.sort_unstable_by(|a, b| b.cmp(a));
        let mut kept = 0;
        let mut oldest = self.batch;
        for (used, weight) in uses {
            kept += weight;
            if kept > MOST / 2 {
                break;
            }
            oldest = used;
        }
        let batch = self.batch;
        let stays = |slot: &Slot| slot.used >= oldest.min(batch);
        self.entities.retain(|_, slot| stays(slot));
        self.weigh();
    }

    fn forget(&mut self, which: impl Fn(&Key) -> bool) {
        self.entities.retain(|key, _| !which(key));
        self.weigh();
    }

    fn weigh(&mut self) {
        let entities: usize = self.entities.values().map(|slot| slot.weight).sum();
        let looks: usize = self.looks.values().map(BTreeSet::len).sum();
        self.weight = entities + looks * ENTRY / 4;
    }
}

/// The look-up that finds an entity by this link.
fn look_of(key: &Key, link: &Link) -> Look {
    Look {
        kind: key.kind.as_str().into(),
        field: link.field.clone(),
        target_kind: link.target_kind.clone(),
        target_id: link.target_id.clone(),
    }
}

/// About how long the attributes are as text.
fn weight(entity: &Entity) -> usize {
    fn of(value: &serde_json::Value) -> usize {
        use serde_json::Value;
        match value {
            Value::String(text) => text.len() + 2,
            Value::Array(items) => items.iter().map(of).sum::<usize>() + 2,
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| name.len() + of(value) + 4)
                .sum(),
            _ => 8,
        }
    }
    entity
        .attributes
        .iter()
        .map(|(name, value)| name.len() + of(value) + 4)
        .sum()
}

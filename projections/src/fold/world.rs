//! What a fold knows of the views: what it was given, with what its own steps made of it. It is kept from one batch to
//! the next, within a bound, so that what is in use is read once.
//!
//! A world that began with the first event of a projection knows more: what it has never seen is not there, and is not
//! looked up at all. What it let go since is looked up, and nothing else is.

mod deadlines;
mod derived;
mod incidents;
mod looks;
mod memory;
mod numbers;
mod seen;
mod tasks;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hashbrown::{HashMap, HashSet};
use schema::rule::Due;
use schema::{Catalog, Indexed, KindName};

use crate::derived::{Derived, Expected};
use crate::entity::{Entity, Key, KeyRef};
use crate::fact::Fact;
use crate::fold::changes::{Changed, Changes, Known, Relinked};
use crate::fold::link::{self, Link};
use crate::fold::needs::{Loaded, Look, LookRef, Needs};
use crate::fold::publishers::Numbers;
use crate::fold::tasks::{Task, TaskOf};
use crate::incident::Incident;
use deadlines::{Horizon, Set, Timer};
use memory::{ENTRY, Used, weight};
use seen::{Of, Seen};

pub(super) use deadlines::Next;
pub(super) use looks::Ids;
pub use memory::UNWRITTEN;

/// What is known, of all that was asked for.
#[derive(Debug)]
pub struct World {
    entities: HashMap<Key, Slot>,
    verdicts: HashMap<String, Tracked>,
    derived: HashMap<String, Followed>,
    /// Whether this batch has loaded the verdicts of the rules that an activation drops.
    dropped: bool,
    /// Whom open incidents are about of the classes that it drops.
    of_classes: BTreeSet<Key>,
    /// What incidents are about, by their ids. Of this batch alone.
    about: HashMap<String, Option<Key>>,
    /// The incidents that changed in this batch, and whether an earlier one had them.
    incidents: BTreeMap<String, (Incident, bool)>,
    /// Causes that are new in this batch.
    causes: BTreeSet<(String, u64)>,
    /// By the positions of the entities' first events.
    looks: HashMap<Look, Used<Ids>>,
    counts: HashMap<Look, Used<u64>>,
    /// What there ever was, where that is known.
    seen: Option<Seen>,
    /// Kinds whose look-ups it does not say: other places of them were indexed before.
    unsure: HashSet<String>,
    /// By key: the entities that may have an open verdict with it. Who once had one stays here: what is broken of an
    /// entity is asked of itself.
    waiting: HashMap<String, BTreeSet<Key>>,
    /// Every deadline up to the horizon that has not fired, in the order in which they do.
    unfired: BTreeSet<Due>,
    horizon: Horizon,
    tasks: HashMap<TaskOf, tasks::Open>,
    /// The tasks that changed in this batch, as they were before it.
    tasks_changed: BTreeMap<TaskOf, Option<Task>>,
    numbers: HashMap<Numbers, numbers::Highest>,
    /// The deadlines that changed in this batch, as they were before it.
    timers: BTreeMap<(Key, Timer), Option<Set>>,
    /// The entities that changed in this batch.
    changed: Vec<Key>,
    batch: u64,
    /// Of the entities, in bytes or so.
    weight: usize,
    /// Of look-ups and counts.
    looked: usize,
    /// How much either may be.
    most: usize,
}

/// One entity, or that there is none.
#[derive(Debug, Default)]
struct Slot {
    entity: Option<Arc<Entity>>,
    links: Arc<Vec<Link>>,
    /// What most have none of, out of the way of those that have none.
    about: Option<Box<About>>,
    /// Where it changed in this batch: whether it existed before, and its links then.
    before: Option<(bool, Arc<Vec<Link>>)>,
    /// Whether there is such an entity, also while it is taken out.
    exists: bool,
    /// The last batch that used it.
    used: AtomicU64,
    /// Of all of it.
    weight: usize,
    /// Of the entity.
    bulk: usize,
}

/// What follows from rules about an entity.
#[derive(Debug, Default)]
struct About {
    /// The verdicts that a rule may clear yet, by their ids.
    open: BTreeMap<String, Known>,
    /// The last incident of each class.
    incidents: BTreeMap<String, Incident>,
    /// The deadlines that are set.
    due: BTreeMap<Timer, Set>,
}

static NOTHING: About = About {
    open: BTreeMap::new(),
    incidents: BTreeMap::new(),
    due: BTreeMap::new(),
};

impl Slot {
    fn about(&self) -> &About {
        self.about.as_deref().unwrap_or(&NOTHING)
    }

    fn about_mut(&mut self) -> &mut About {
        self.about.get_or_insert_default()
    }
}

/// One verdict, or that there is none.
#[derive(Debug)]
struct Tracked {
    known: Option<Known>,
    /// As the batch before left it.
    old: Option<Known>,
    used: u64,
}

/// One other derived event, or that there is none.
#[derive(Debug)]
struct Followed {
    known: Option<Expected>,
    /// As the batch before left it.
    old: Option<Expected>,
    /// What is to be published, where this batch derived it.
    event: Option<Derived>,
    used: u64,
}

impl World {
    /// What of these needs is not known here yet.
    pub fn lacks(&self, mut needs: Needs) -> Needs {
        needs.entities.retain(|key| !self.knows(key.by_ref()));
        needs
            .verdicts
            .retain(|violation| !self.verdicts.contains_key(violation));
        needs.derived.retain(|id| !self.derived.contains_key(id));
        needs.tasks.retain(|of| !self.knows_task(of));
        needs.numbers.retain(|of| self.highest(of).is_none());
        needs.incidents.retain(|id| !self.about.contains_key(id));
        if self.dropped {
            needs.dropped.clear();
            needs.classes.clear();
        }
        needs.looks.retain(|look| self.look(look).is_none());
        needs.counts.retain(|look| self.count(look).is_none());
        needs.waiting.retain(|key| self.waiting(key).is_none());
        needs
            .due
            .take_if(|page| self.is_known_before(page.before_us));
        needs
    }

    /// What is known beside an entity, or where there is none; `None` where it is not known here.
    fn slot(&mut self, key: KeyRef<'_>) -> Option<&mut Slot> {
        if !self.entities.contains_key(&key) && self.see(Of::Entity(key)) {
            self.entities.insert(key.to_key(), Slot::default());
        }
        let slot = self.entities.get_mut(&key)?;
        slot.used.store(self.batch, Relaxed);
        Some(slot)
    }

    /// The name under which an entity is kept: whoever keeps this one finds it without reading it.
    fn kept(&self, key: KeyRef<'_>) -> Option<Key> {
        let (key, _) = self.entities.get_key_value(&key)?;
        Some(key.clone())
    }

    fn knows(&self, key: KeyRef<'_>) -> bool {
        self.entities.contains_key(&key) || self.never(Of::Entity(key))
    }

    /// What of what a fact touches is not known here yet. Mostly nothing, and then nothing is allocated.
    pub(super) fn lacks_of(&self, fact: &Fact) -> Needs {
        let mut lacks = Needs::default();
        let unknown = |key: &Key| !self.knows(key.by_ref());
        lacks
            .entities
            .extend(fact.key.iter().filter(|key| unknown(key)).cloned());
        if let Some((violation, about)) = fact.returned() {
            if !self.verdicts.contains_key(violation) {
                lacks.verdicts.insert(violation.to_owned());
            }
            let about = about.into_iter();
            lacks.entities.extend(about.filter(unknown));
        }
        if let Some(id) = fact.incident() {
            match self.about.get(id) {
                None => drop(lacks.incidents.insert(id.to_owned())),
                Some(about) => {
                    let about = about.clone().into_iter();
                    lacks.entities.extend(about.filter(unknown));
                }
            }
        }
        if fact.follows() {
            if !self.derived.contains_key(&fact.header.id) {
                lacks.derived.insert(fact.header.id.clone());
            }
            let about = fact.about().into_iter();
            lacks.entities.extend(about.filter(unknown));
        }
        lacks
    }

    /// Takes in what was asked for. The look-ups found what the last finished batch left; what this one changed is
    /// applied to them here.
    pub(super) fn supply(&mut self, needs: Needs, loaded: Loaded, catalog: &Catalog) {
        self.supply_entities(needs.entities, loaded.entities, catalog);
        for (violation, known) in loaded.open {
            self.supply_open(violation, known);
        }
        self.supply_deadlines(loaded.deadlines);
        if let Some(page) = &needs.due {
            self.supply_due(page, loaded.due);
        }
        let mut verdicts = loaded.verdicts;
        for violation in needs.verdicts {
            let known = verdicts.remove(&violation);
            let tracked = Tracked {
                old: known.clone(),
                known,
                used: self.batch,
            };
            self.verdicts.entry(violation).or_insert(tracked);
        }
        self.dropped |= !needs.dropped.is_empty() || !needs.classes.is_empty();
        self.of_classes.extend(loaded.of_classes);
        for (violation, known) in loaded.dropped {
            let tracked = || Tracked {
                old: Some(known.clone()),
                known: Some(known.clone()),
                used: self.batch,
            };
            self.verdicts.entry(violation).or_insert_with(tracked);
        }
        for incident in loaded.incidents {
            if let Some(slot) = self.entities.get_mut(&incident.about()) {
                let incidents = &mut slot.about_mut().incidents;
                incidents.insert(incident.class.clone(), incident);
                slot.weight += ENTRY;
                self.weight += ENTRY;
            }
        }
        let mut about = loaded.about;
        for id in needs.incidents {
            let key = about.remove(&id);
            self.about.entry(id).or_insert(key);
        }
        let mut highest = loaded.numbers;
        for of in needs.numbers {
            let found = highest.remove(&of);
            self.supply_number(of, found);
        }
        let open = loaded.tasks.into_iter();
        let mut open: HashMap<TaskOf, Task> = open.map(|one| (one.of.clone(), one)).collect();
        for of in needs.tasks {
            let found = open.remove(&of);
            self.supply_task(of, found);
        }
        let mut derived = loaded.derived;
        for id in needs.derived {
            let known = derived.remove(&id);
            let followed = Followed {
                old: known.clone(),
                known,
                event: None,
                used: self.batch,
            };
            self.derived.entry(id).or_insert(followed);
        }
        self.supply_looks(needs.looks, loaded.looks);
        self.supply_counts(needs.counts, loaded.counts);
        for key in needs.waiting {
            self.supply_waiting(key);
        }
        for (key, about) in loaded.waiting {
            self.waiting.entry(key).or_default().insert(about);
        }
    }

    /// The entities that were asked for, as they were found; the others do not exist.
    fn supply_entities(
        &mut self,
        asked: impl IntoIterator<Item = Key>,
        found: impl IntoIterator<Item = (Key, Entity)>,
        catalog: &Catalog,
    ) {
        for (key, entity) in found {
            let kind: Option<KindName> = key.kind().parse().ok();
            let places = kind.map_or(&[][..], |kind| catalog.indexed(&kind));
            let links = link::links(places, entity.status.name(), &entity.attributes);
            let weight = ENTRY + weight(&entity);
            let slot = Slot {
                entity: Some(Arc::new(entity)),
                links: Arc::new(links),
                weight,
                bulk: weight,
                used: AtomicU64::new(self.batch),
                exists: true,
                ..Slot::default()
            };
            self.weight += weight;
            self.entities.insert(key, slot);
        }
        for key in asked {
            let batch = self.batch;
            let absent = || Slot {
                used: AtomicU64::new(batch),
                ..Slot::default()
            };
            self.entities.entry(key).or_insert_with(absent);
        }
    }

    /// An entity: `None` where it is not known here, `Some(None)` where it does not exist.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(super) fn entity(&self, key: KeyRef<'_>) -> Option<Option<&Arc<Entity>>> {
        let Some(slot) = self.entities.get(&key) else {
            return self.never(Of::Entity(key)).then_some(None);
        };
        Some(slot.entity.as_ref())
    }

    /// An entity with its name as it is kept here.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(super) fn named(&self, key: KeyRef<'_>) -> Option<Option<(&Key, &Entity)>> {
        let Some((key, slot)) = self.entities.get_key_value(&key) else {
            return self.never(Of::Entity(key)).then_some(None);
        };
        slot.used.store(self.batch, Relaxed);
        Some(slot.entity.as_ref().map(|entity| (key, &**entity)))
    }

    /// Takes an entity out to be changed; [`World::put`] brings it back.
    pub(super) fn take(&mut self, key: &Key) -> Option<Entity> {
        let entity = self.entities.get_mut(&key.by_ref())?.entity.take();
        // A batch that is not written yet may hold it as it was then.
        entity.map(Arc::unwrap_or_clone)
    }

    /// Puts an entity in that changed, of a kind that is indexed at these places. Look-ups find it from here on as it is
    /// now.
    pub(super) fn put(&mut self, key: &Key, entity: Option<Entity>, places: &[Indexed]) {
        let kept = self.kept(key.by_ref());
        if kept.is_none() {
            self.see(Of::Entity(key.by_ref()));
        }
        let key = &kept.unwrap_or_else(|| key.clone());
        let slot = self.entities.entry(key.clone()).or_default();
        if slot.before.is_none() {
            slot.before = Some((slot.exists, slot.links.clone()));
            self.changed.push(key.clone());
        }
        let bulk = ENTRY + entity.as_ref().map_or(0, weight);
        let was = std::mem::replace(&mut slot.bulk, bulk);
        slot.weight = slot.weight + bulk - was;
        self.weight = self.weight + bulk - was;
        slot.used.store(self.batch, Relaxed);
        let created = entity.as_ref().or(slot.entity.as_deref());
        let created = created.map_or(0, |entity| entity.created_seq);
        let existed = std::mem::replace(&mut slot.exists, entity.is_some());
        let exists = slot.exists;
        slot.entity = entity.map(Arc::new);
        let now = slot.entity.as_deref();
        let now = now.map(|entity| (entity.status.name(), &entity.attributes));
        // Mostly an event leaves them as they were, and then nothing is allocated.
        let same = now.is_some_and(|(status, attributes)| {
            link::are_links(&slot.links, places, status, attributes)
        });
        let links = now
            .filter(|_| !same)
            .map_or_else(Vec::new, |(status, attributes)| {
                link::links(places, status, attributes)
            });
        if !same && links != *slot.links {
            let new = Arc::new(links);
            let old = std::mem::replace(&mut slot.links, new.clone());
            self.look_ups_move(key, created, places, &old, &new);
        }
        if existed != exists {
            self.moves(key, created, LookRef::all(key.kind()), exists);
        }
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
        changes.entities.reserve(keys.len());
        for key in keys {
            let Some(slot) = self.entities.get_mut(&key.by_ref()) else {
                continue;
            };
            let (Some((existed, before)), Some(entity)) = (slot.before.take(), &slot.entity) else {
                continue;
            };
            if before != slot.links && !reindexed.contains(key.kind()) {
                changes.relinked.push(Relinked {
                    key: key.clone(),
                    created_seq: entity.created_seq,
                    before,
                    after: slot.links.clone(),
                });
            }
            changes.entities.push(Changed {
                key,
                entity: entity.clone(),
                new: !existed,
            });
        }
        self.finish_verdicts(changes);
        self.finish_deadlines(changes);
        self.finish_tasks(changes);
        self.finish_numbers(changes);
        self.finish_derived(changes);
        self.finish_incidents(changes);
        if !reindexed.is_empty() {
            for kind in &reindexed {
                if !self.never(Of::Look(LookRef::all(kind))) {
                    self.unsure.insert(kind.clone());
                }
            }
            self.looks
                .retain(|look, _| !reindexed.contains(&*look.kind));
            self.counts
                .retain(|look, _| !reindexed.contains(&*look.kind));
            self.forget(|key| reindexed.contains(key.kind()));
        }
        self.shrink();
        self.batch += 1;
    }
}

//! What a fold knows of the views: what it was given, with what its own steps made of it. It is kept from one batch to
//! the next, within a bound, so that what is in use is read once.
//!
//! A world that began with the first event of a projection knows more: what it has never seen is not there, and is not
//! looked up at all. What it let go since is looked up, and nothing else is.

mod deadlines;
mod memory;
mod numbers;
mod seen;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hashbrown::{HashMap, HashSet};
use schema::rule::Due;
use schema::{Catalog, Indexed, KindName};

use crate::derived::{Derived, Expected};
use crate::entity::{Entity, Key, KeyRef};
use crate::fact::Fact;
use crate::fold::changes::{Changed, Changes, Known, Linked};
use crate::fold::link::{self, Link};
use crate::fold::needs::{Loaded, Look, Needs};
use crate::fold::publishers::Numbers;
use crate::fold::tasks::{Task, TaskOf};
use crate::incident::Incident;
use deadlines::{Horizon, Set, Timer};
use memory::{ENTRY, LOOK, Used, used, weight};
use seen::{Of, Seen};

pub(super) use deadlines::Next;

/// What a look-up finds that has never found anything.
static NOTHING: BTreeMap<u64, String> = BTreeMap::new();
/// Whom a verdict is about with a key that no open verdict ever had.
static NOBODY: BTreeSet<Key> = BTreeSet::new();

/// What is known, of all that was asked for.
#[derive(Debug)]
pub struct World {
    entities: HashMap<Arc<Key>, Slot>,
    verdicts: HashMap<String, Tracked>,
    derived: HashMap<String, Followed>,
    /// Whether this batch has loaded the verdicts of the rules that an activation drops.
    dropped: bool,
    /// What incidents are about, by their ids. Of this batch alone.
    about: HashMap<String, Option<Key>>,
    /// The incidents that changed in this batch, and whether an earlier one had them.
    incidents: BTreeMap<String, (Incident, bool)>,
    /// Causes that are new in this batch.
    causes: BTreeSet<(String, u64)>,
    /// By the positions of the entities' first events.
    looks: HashMap<Look, Used<BTreeMap<u64, String>>>,
    counts: HashMap<Look, Used<u64>>,
    /// What there ever was, where that is known.
    seen: Option<Seen>,
    /// Kinds whose look-ups it does not say: other places of them were indexed before.
    unsure: HashSet<String>,
    /// By key: the entities that may have an open verdict with it. Of this batch alone.
    waiting: HashMap<String, BTreeSet<Key>>,
    /// Every deadline up to the horizon that has not fired, in the order in which they do.
    unfired: BTreeSet<Due>,
    horizon: Horizon,
    tasks: HashMap<TaskOf, tasks::Open>,
    numbers: HashMap<Numbers, numbers::Highest>,
    /// The deadlines that changed in this batch, as they were before it.
    timers: BTreeMap<(Key, Timer), Option<Set>>,
    /// The entities that changed in this batch.
    changed: Vec<Arc<Key>>,
    batch: u64,
    weight: usize,
    most: usize,
}

/// One entity, or that there is none.
#[derive(Debug, Default)]
struct Slot {
    entity: Option<Arc<Entity>>,
    links: Arc<Vec<Link>>,
    /// The verdicts about it that a rule may clear yet, by their ids.
    open: BTreeMap<String, Known>,
    /// The last incident of each class about it.
    incidents: BTreeMap<String, Incident>,
    /// The deadlines that are set for it.
    due: BTreeMap<Timer, Set>,
    /// Where it changed in this batch: whether it existed before, and its links then.
    before: Option<(bool, Arc<Vec<Link>>)>,
    /// Whether there is such an entity, also while it is taken out.
    exists: bool,
    /// The last batch that used it.
    used: AtomicU64,
    weight: usize,
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
            let key = Arc::new(key.to_key());
            self.entities.insert(key, Slot::default());
        }
        self.entities.get_mut(&key)
    }

    fn knows(&self, key: KeyRef<'_>) -> bool {
        self.entities.contains_key(&key) || self.never(Of::Entity(key))
    }

    /// What of what a fact touches is not known here yet. Mostly nothing, and then nothing is allocated.
    pub(super) fn lacks_of(&self, fact: &Fact) -> Needs {
        let mut lacks = Needs::default();
        let unknown = |key: &Arc<Key>| !self.knows(key.by_ref());
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
        if let Some(id) = fact.incident() {
            match self.about.get(id) {
                None => drop(lacks.incidents.insert(id.to_owned())),
                Some(about) => {
                    let about = about.clone().map(Arc::new).into_iter();
                    lacks.entities.extend(about.filter(unknown));
                }
            }
        }
        if fact.follows() {
            if !self.derived.contains_key(&fact.header.id) {
                lacks.derived.insert(fact.header.id.clone());
            }
            let about = fact.about().map(Arc::new).into_iter();
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
            let links = link::links(places, entity.status.name(), &entity.attributes);
            let weight = ENTRY + weight(&entity);
            let slot = Slot {
                entity: Some(Arc::new(entity)),
                links: Arc::new(links),
                weight,
                used: AtomicU64::new(self.batch),
                exists: true,
                ..Slot::default()
            };
            self.weight += weight;
            self.entities.insert(Arc::new(key), slot);
        }
        for key in needs.entities {
            let batch = self.batch;
            let absent = || Slot {
                used: AtomicU64::new(batch),
                ..Slot::default()
            };
            self.entities.entry(key).or_insert_with(absent);
        }
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
        self.dropped |= !needs.dropped.is_empty();
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
                slot.incidents.insert(incident.class.clone(), incident);
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

    /// A verdict about an entity that was asked for; what this batch knows of it goes before.
    fn supply_open(&mut self, violation: String, stored: Known) {
        let tracked = self.verdicts.get(&violation);
        let known = tracked.and_then(|one| one.known.clone()).unwrap_or(stored);
        if known.is_open()
            && let Some(slot) = self.entities.get_mut(&known.verdict.about())
        {
            slot.open.insert(violation, known);
            slot.weight += ENTRY;
            self.weight += ENTRY;
        }
    }

    /// Where this batch raised what waits; where it cleared something, the entity tells.
    fn supply_waiting(&mut self, key: String) {
        let known = self.verdicts.values().filter_map(|one| one.known.as_ref());
        let waits = known.filter(|one| one.is_open() && one.verdict.detail_key == key);
        let about = waits.map(|one| one.verdict.key()).collect();
        self.waiting.insert(key, about);
    }

    fn supply_looks(
        &mut self,
        asked: BTreeSet<Look>,
        mut found: HashMap<Look, BTreeMap<u64, String>>,
    ) {
        for look in asked {
            let mut ids = found.remove(&look).unwrap_or_default();
            for (key, created, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => ids.remove(&created),
                    (false, true) => ids.insert(created, key.id.clone()),
                    _ => None,
                };
            }
            self.weight += LOOK + ids.len() * LOOK / 2;
            self.looks.insert(look, used(ids, self.batch));
        }
    }

    fn supply_counts(&mut self, asked: BTreeSet<Look>, mut found: HashMap<Look, u64>) {
        for look in asked {
            let mut count = found.remove(&look).unwrap_or_default();
            for (_, _, then, now) in self.moved(&look) {
                match (then, now) {
                    (true, false) => count = count.saturating_sub(1),
                    (false, true) => count += 1,
                    _ => {}
                }
            }
            self.weight += LOOK;
            self.counts.insert(look, used(count, self.batch));
        }
    }

    /// The entities of a look-up's kind that this batch has changed: whether it found them before, and finds them now.
    fn moved(&self, look: &Look) -> Vec<(Arc<Key>, u64, bool, bool)> {
        let mut moved = Vec::new();
        for key in self.changed.iter().filter(|key| *key.kind == *look.kind) {
            if let Some(slot) = self.entities.get(&key.by_ref())
                && let (Some((existed, before)), Some(entity)) = (&slot.before, &slot.entity)
            {
                let finds = |links: &[Link]| links.iter().any(|link| look_of(key, link) == *look);
                let (then, now) = if look.is_all() {
                    (*existed, true)
                } else {
                    (finds(before), finds(&slot.links))
                };
                moved.push((key.clone(), entity.created_seq, then, now));
            }
        }
        moved
    }

    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    /// An entity: `None` where it is not known here, `Some(None)` where it does not exist.
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
        Some(slot.entity.as_ref().map(|entity| (&**key, &**entity)))
    }

    /// The verdicts about an entity that a rule may clear yet, where that is known here.
    pub(super) fn open(&self, key: KeyRef<'_>) -> Option<&BTreeMap<String, Known>> {
        self.entities.get(&key).map(|slot| &slot.open)
    }

    /// The entities that may have an open verdict with this key, where that is known here.
    pub(super) fn waiting(&self, key: &str) -> Option<&BTreeSet<Key>> {
        let never = || self.never(Of::Waiting(key)).then_some(&NOBODY);
        self.waiting.get(key).or_else(never)
    }

    /// What a look-up finds, where that is known here.
    pub(super) fn look(&self, look: &Look) -> Option<&BTreeMap<u64, String>> {
        if let Some(known) = self.looks.get(look) {
            known.used.store(self.batch, Relaxed);
            return Some(&known.what);
        }
        self.found_nothing(look).then_some(&NOTHING)
    }

    /// Whether a look-up has never found anything, for certain.
    fn found_nothing(&self, look: &Look) -> bool {
        self.never(Of::Look(look)) && !self.unsure.contains(&*look.kind)
    }

    /// How many a look-up finds, where that is known here.
    pub(super) fn count(&self, look: &Look) -> Option<u64> {
        if let Some(known) = self.counts.get(look) {
            known.used.store(self.batch, Relaxed);
            return Some(known.what);
        }
        u64::try_from(self.look(look)?.len()).ok()
    }

    /// Takes an entity out to be changed; [`World::put`] brings it back.
    pub(super) fn take(&mut self, key: &Arc<Key>) -> Option<Arc<Entity>> {
        self.entities.get_mut(&key.by_ref())?.entity.take()
    }

    /// Puts an entity back as it is, without having changed it.
    pub(super) fn put_back(&mut self, key: &Arc<Key>, entity: Option<Arc<Entity>>) {
        if let Some(slot) = self.entities.get_mut(&key.by_ref()) {
            slot.entity = entity;
        }
    }

    /// Puts an entity in that changed, by `growth` bytes at most, of a kind that is indexed at these places. Look-ups
    /// find it from here on as it is now.
    pub(super) fn put(
        &mut self,
        key: &Arc<Key>,
        entity: Option<Entity>,
        places: &[Indexed],
        growth: usize,
    ) {
        if !self.entities.contains_key(&key.by_ref()) {
            self.see(Of::Entity(key.by_ref()));
        }
        let slot = self.entities.entry(key.clone()).or_default();
        if slot.before.is_none() {
            slot.before = Some((slot.exists, slot.links.clone()));
            self.changed.push(key.clone());
        }
        let growth = growth + if slot.weight == 0 { ENTRY } else { 0 };
        slot.weight += growth;
        self.weight += growth;
        slot.used.store(self.batch, Relaxed);
        let created = entity.as_ref().or(slot.entity.as_deref());
        let created = created.map_or(0, |entity| entity.created_seq);
        let existed = std::mem::replace(&mut slot.exists, entity.is_some());
        let exists = slot.exists;
        slot.entity = entity.map(Arc::new);
        let now = slot.entity.as_deref();
        let links = now.map_or_else(Vec::new, |entity| {
            link::links(places, entity.status.name(), &entity.attributes)
        });
        if links != *slot.links {
            let new = Arc::new(links);
            let old = std::mem::replace(&mut slot.links, new.clone());
            self.look_ups_move(key, created, places, &old, &new);
        }
        if existed != exists {
            self.moves(key, created, &Look::all(key.kind.as_str().into()), exists);
        }
    }

    /// What rules ask for finds an entity by its links of now, and not by those that it had.
    fn look_ups_move(
        &mut self,
        key: &Key,
        created: u64,
        places: &[Indexed],
        old: &[Link],
        new: &[Link],
    ) {
        let asked = |link: &Link| {
            let mut there = places.iter().filter(|one| one.path().text() == &link.field);
            there.any(|one| one.is_asked() && one.target() == &link.target_kind)
        };
        let (gone, new) = link::difference(old, new);
        for (links, found) in [(gone, false), (new, true)] {
            for link in links.iter().filter(|link| asked(link)) {
                self.moves(key, created, &look_of(key, link), found);
            }
        }
    }

    /// A look-up finds an entity from here on, or no longer.
    fn moves(&mut self, key: &Key, created: u64, look: &Look, found: bool) {
        if found && self.see(Of::Look(look)) && !self.unsure.contains(&*look.kind) {
            // Its first: all that it finds is known from here on.
            self.weight += LOOK;
            if look.is_all() {
                self.counts.insert(look.clone(), used(0, self.batch));
            } else {
                let nothing = used(BTreeMap::new(), self.batch);
                self.looks.insert(look.clone(), nothing);
            }
        }
        if let Some(Used { what: ids, .. }) = self.looks.get_mut(look) {
            if found {
                self.weight += LOOK / 2;
                ids.insert(created, key.id.clone());
            } else {
                self.weight = self.weight.saturating_sub(LOOK / 2);
                ids.remove(&created);
            }
        }
        if let Some(Used { what: count, .. }) = self.counts.get_mut(look) {
            *count = if found {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }

    /// A verdict that was asked for or derived, where there is one.
    pub(super) fn verdict(&self, violation: &str) -> Option<&Known> {
        self.verdicts.get(violation)?.known.as_ref()
    }

    /// Notes a verdict that is new or changed.
    pub(super) fn note(&mut self, violation: String, known: Known) {
        let key = known.verdict.key();
        let mut old = None;
        if known.is_open() {
            let waits = &known.verdict.detail_key;
            if self.see(Of::Waiting(waits)) {
                // The first: whoever else waits for it comes later.
                self.waiting.insert(waits.clone(), BTreeSet::new());
            }
            if let Some(waiting) = self.waiting.get_mut(waits) {
                waiting.insert(key.clone());
            }
        }
        if known.found_by.is_some()
            && let Some(slot) = self.slot(key.by_ref())
        {
            old = slot.open.remove(&violation);
            if known.is_open() {
                slot.open.insert(violation.clone(), known.clone());
            }
        }
        let used = self.batch;
        let tracked = self.verdicts.entry(violation).or_insert_with(|| Tracked {
            known: None,
            old,
            used,
        });
        tracked.known = Some(known);
        tracked.used = used;
    }

    /// The verdicts of these rules that may be cleared yet, in order; they were asked for.
    pub(super) fn open_of(&self, rules: &BTreeSet<String>) -> Vec<(String, Known)> {
        let known = self.verdicts.iter();
        let known = known.filter_map(|(id, one)| Some((id, one.known.as_ref()?)));
        let theirs = |one: &Known| {
            one.is_open() && one.found_by.as_ref().is_some_and(|by| rules.contains(by))
        };
        let theirs = known.filter(|(_, one)| theirs(one));
        let mut theirs: Vec<_> = theirs.map(|(id, one)| (id.clone(), one.clone())).collect();
        theirs.sort_by(|(a, _), (b, _)| a.cmp(b));
        theirs
    }

    /// What an incident is about: `None` where that is not known here, `Some(None)` where there is no such incident.
    #[expect(
        clippy::option_option,
        reason = "not loaded and not there are different things"
    )]
    pub(super) fn about_incident(&self, id: &str) -> Option<Option<&Key>> {
        self.about.get(id).map(Option::as_ref)
    }

    /// The last incident of each class about an entity, where that is known here.
    pub(super) fn incidents(&self, about: KeyRef<'_>) -> Option<&BTreeMap<String, Incident>> {
        self.entities.get(&about).map(|slot| &slot.incidents)
    }

    /// The last incident of a class about an entity.
    pub(super) fn incident(&self, about: KeyRef<'_>, class: &str) -> Option<&Incident> {
        self.incidents(about)?.get(class)
    }

    /// Notes an incident that is new or changed.
    pub(super) fn note_incident(&mut self, incident: Incident) {
        let key = incident.key();
        let mut known = false;
        let batch = self.batch;
        if let Some(slot) = self.slot(key.by_ref()) {
            let before = slot
                .incidents
                .insert(incident.class.clone(), incident.clone());
            known = before.is_some_and(|before| before.incident == incident.incident);
            slot.used.store(batch, Relaxed);
        }
        self.about.insert(incident.incident.clone(), Some(key));
        let id = incident.incident.clone();
        let changed = self
            .incidents
            .entry(id)
            .or_insert_with(|| (incident.clone(), known));
        changed.0 = incident;
    }

    /// Notes a cause of an incident.
    pub(super) fn note_cause(&mut self, incident: &str, cause_seq: u64) {
        self.causes.insert((incident.to_owned(), cause_seq));
    }

    /// A derived event that was asked for or derived here, where there is one.
    pub(super) fn expected(&self, id: &str) -> Option<&Expected> {
        self.derived.get(id)?.known.as_ref()
    }

    /// Notes an event that is expected from here on, or was seen. One that was derived in this batch comes with what is
    /// to be published.
    pub(super) fn expect(&mut self, id: String, known: Expected, event: Option<Derived>) {
        let used = self.batch;
        let followed = self.derived.entry(id).or_insert_with(|| Followed {
            known: None,
            old: None,
            event: None,
            used,
        });
        followed.known = Some(known);
        followed.used = used;
        if event.is_some() {
            followed.event = event;
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
        for key in keys {
            let Some(slot) = self.entities.get_mut(&key.by_ref()) else {
                continue;
            };
            let (Some((existed, before)), Some(entity)) = (slot.before.take(), &slot.entity) else {
                continue;
            };
            if !reindexed.contains(&key.kind) && before != slot.links {
                let (gone, new) = link::difference(&before, &slot.links);
                let of = |link| Linked {
                    key: key.clone(),
                    created_seq: entity.created_seq,
                    link,
                };
                changes.unlinked.extend(gone.into_iter().map(of));
                changes.linked.extend(new.into_iter().map(of));
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
                if !self.never(Of::Look(&Look::all(kind.as_str().into()))) {
                    self.unsure.insert(kind.clone());
                }
            }
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
            .filter(|(_, one)| one.known != one.old)
            .collect();
        touched.sort_by_key(|(violation, one)| {
            let cause = one.known.as_ref().map(|known| known.verdict.cause_seq);
            (cause, (*violation).clone())
        });
        for (violation, tracked) in touched {
            let Some(known) = &tracked.known else {
                continue;
            };
            let old = tracked.old.as_ref();
            match (old.is_some_and(raised), raised(known)) {
                (false, true) => changes.publish.push(known.verdict.clone()),
                (true, false) => changes.settled.push(violation.clone()),
                _ => {}
            }
            if let Some(cleared) = known.clearing(violation) {
                match (old.is_some_and(announced), announced(known)) {
                    (false, true) => changes.announce.push((known.verdict.clone(), cleared)),
                    (true, false) => changes.settled.push(cleared.id()),
                    _ => {}
                }
            }
            if old.is_some() {
                changes.renewed.insert(violation.clone());
            }
            changes.verdicts.push((violation.clone(), known.clone()));
            tracked.old.clone_from(&tracked.known);
        }
        self.waiting.clear();
        // A verdict is derived, comes back once, and is never asked for again; what is open stands beside its entity.
        // Those of the last batch are kept: it may not be written yet.
        let batch = self.batch;
        self.verdicts.retain(|_, one| one.used == batch);
    }

    fn finish_incidents(&mut self, changes: &mut Changes) {
        self.about.clear();
        self.dropped = false;
        changes.causes = std::mem::take(&mut self.causes);
        for (id, (incident, known)) in std::mem::take(&mut self.incidents) {
            if known {
                changes.known_incidents.insert(id);
            }
            changes.incidents.push(incident);
        }
        let at = |one: &Incident| (one.opened_seq, one.incident.clone());
        changes.incidents.sort_by_key(at);
    }

    fn finish_derived(&mut self, changes: &mut Changes) {
        let touched = self
            .derived
            .iter_mut()
            .filter(|(_, one)| one.known != one.old);
        let mut touched: Vec<(&String, &mut Followed)> = touched.collect();
        touched.sort_by_key(|(id, one)| {
            let cause = one.known.as_ref().map(|known| known.cause_seq);
            (cause, (*id).clone())
        });
        for (id, followed) in touched {
            let Some(known) = &followed.known else {
                continue;
            };
            let waited = followed.old.as_ref().is_some_and(|old| old.seq.is_none());
            match (waited, known.seq.is_none()) {
                (false, true) => changes.send.extend(followed.event.take()),
                (true, false) => changes.settled.push(id.clone()),
                _ => {}
            }
            changes.derived.push((id.clone(), known.clone()));
            followed.old.clone_from(&followed.known);
        }
        // As verdicts: it is derived, comes back once, and is never asked for again.
        let batch = self.batch;
        self.derived.retain(|_, one| one.used == batch);
    }
}

/// Whether the event that raises a verdict is on its way.
fn raised(known: &Known) -> bool {
    known.seq.is_none()
}

/// Whether the event that clears it is on its way.
fn announced(known: &Known) -> bool {
    known.cleared.is_some_and(|clearing| clearing.seq.is_none())
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

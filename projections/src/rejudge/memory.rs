//! What a fold has written, as maps: the views of one ledger without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use schema::rule::Due;

use super::kept::Kept;
use crate::derived::Expected;
use crate::entity::{Entity, Key};
use crate::fold::{
    Changes, Deadline, DueFound, DuePage, Known, Link, Loaded, Look, Needs, Numbers, Reindex, Task,
    TaskOf, links,
};
use crate::incident::Incident;

/// How many deadlines are given at a time.
const PAGE: usize = 1000;

/// Every row that later events can ask for.
#[derive(Debug, Default)]
pub(super) struct Memory {
    entities: HashMap<Key, Arc<Entity>>,
    links: HashMap<Key, BTreeSet<Link>>,
    /// By the positions of the entities' first events.
    looks: HashMap<Look, BTreeMap<u64, String>>,
    verdicts: HashMap<String, Known>,
    /// The verdicts that a rule may clear yet, by entity.
    open: HashMap<Key, BTreeSet<String>>,
    /// The same, by their keys.
    waiting: HashMap<String, BTreeSet<String>>,
    deadlines: HashMap<Key, BTreeSet<Deadline>>,
    unfired: BTreeSet<Due>,
    derived: HashMap<String, Expected>,
    /// Those that are open.
    tasks: HashMap<TaskOf, Task>,
    /// The highest numbers of publishers.
    numbers: HashMap<Numbers, u64>,
    /// Whom each incident is about.
    about: HashMap<String, Key>,
    /// The last incident of each class, by entity.
    incidents: HashMap<Key, BTreeMap<String, Incident>>,
    /// What must be kept of what events name to be deleted.
    pub(super) kept: Kept,
}

fn look_of(key: &Key, link: &Link) -> Look {
    Look {
        kind: key.kind().into(),
        field: link.field.clone(),
        target_kind: link.target_kind.clone(),
        target_id: link.target_id.clone(),
    }
}

fn about(deadline: &Deadline) -> Key {
    Key::new(deadline.due.kind.as_str(), deadline.due.id.as_str())
}

impl Memory {
    /// What was asked for.
    pub(super) fn load(&self, needs: &Needs) -> Loaded {
        let mut loaded = Loaded::default();
        for key in &needs.entities {
            if let Some(entity) = self.entities.get(key) {
                loaded.entities.push(((*key).clone(), (**entity).clone()));
            }
            for id in self.open.get(key).into_iter().flatten() {
                if let Some(known) = self.verdicts.get(id) {
                    loaded.open.push((id.clone(), known.clone()));
                }
            }
            let deadlines = self.deadlines.get(key).into_iter().flatten();
            loaded.deadlines.extend(deadlines.cloned());
            let incidents = self.incidents.get(key).into_iter().flatten();
            loaded
                .incidents
                .extend(incidents.map(|(_, one)| one.clone()));
        }
        let about = |id: &String| Some((id.clone(), self.about.get(id)?.clone()));
        loaded.about = needs.incidents.iter().filter_map(about).collect();
        let verdict = |id: &String| Some((id.clone(), self.verdicts.get(id)?.clone()));
        loaded.verdicts = needs.verdicts.iter().filter_map(verdict).collect();
        let derived = |id: &String| Some((id.clone(), self.derived.get(id)?.clone()));
        loaded.derived = needs.derived.iter().filter_map(derived).collect();
        let tasks = needs.tasks.iter().filter_map(|of| self.tasks.get(of));
        loaded.tasks = tasks.cloned().collect();
        let number = |of: &Numbers| Some((of.clone(), *self.numbers.get(of)?));
        loaded.numbers = needs.numbers.iter().filter_map(number).collect();
        if !needs.dropped.is_empty() {
            let open = self.open.values().flatten();
            let open = open.filter_map(|id| Some((id.clone(), self.verdicts.get(id)?.clone())));
            let theirs =
                |one: &Known| (one.found_by.as_ref()).is_some_and(|by| needs.dropped.contains(by));
            loaded.dropped = open.filter(|(_, one)| theirs(one)).collect();
        }
        let theirs = |one: &&Incident| one.is_open() && needs.classes.contains(&one.class);
        let all = self.incidents.values().flat_map(BTreeMap::values);
        loaded.of_classes = all.filter(theirs).map(Incident::key).collect();
        let look = |look: &Look| Some((look.clone(), self.looks.get(look)?.clone()));
        loaded.looks = needs.looks.iter().filter_map(look).collect();
        let count = |look: &Look| {
            let found = self.looks.get(look)?;
            Some((look.clone(), u64::try_from(found.len()).ok()?))
        };
        loaded.counts = needs.counts.iter().filter_map(count).collect();
        for key in &needs.waiting {
            let ids = self.waiting.get(key).into_iter().flatten();
            let known = ids.filter_map(|id| self.verdicts.get(id));
            let keys = known.map(|one| (key.clone(), one.verdict.key()));
            loaded.waiting.extend(keys);
        }
        if let Some(page) = &needs.due {
            loaded.due = self.due(page);
        }
        if let Some(naming) = &needs.named {
            loaded.blocked = self.kept.blocked(naming);
        }
        loaded
    }

    fn due(&self, asked: &DuePage) -> DueFound {
        let page: Vec<Due> = self
            .unfired
            .iter()
            .skip_while(|due| due.due_us < asked.from_us)
            .take_while(|due| due.due_us < asked.before_us)
            .filter(|due| asked.after.as_ref().is_none_or(|after| *due > after))
            .take(PAGE)
            .cloned()
            .collect();
        DueFound {
            more: page.len() == PAGE,
            page,
        }
    }

    /// Takes in what a batch changed.
    pub(super) fn write(&mut self, changes: Changes) {
        for one in changes.entities {
            if one.new {
                let all = Look::all(one.key.kind());
                let ids = self.looks.entry(all).or_default();
                ids.insert(one.entity.created_seq, one.key.id().to_owned());
            }
            self.entities.insert(one.key, one.entity);
        }
        for one in changes.relinked {
            one.removed().for_each(|link| self.unlink(&one.key, link));
            one.added()
                .for_each(|link| self.link(&one.key, link.clone()));
        }
        for (id, known) in changes.verdicts {
            self.verdict(id, known);
        }
        for one in changes.disarmed {
            self.unfired.remove(&one.due);
            if let Some(set) = self.deadlines.get_mut(&about(&one)) {
                set.remove(&one);
            }
        }
        for one in changes.armed {
            if !one.fired {
                self.unfired.insert(one.due.clone());
            }
            self.deadlines.entry(about(&one)).or_default().insert(one);
        }
        self.derived.extend(changes.derived);
        for one in changes.tasks_closed {
            self.tasks.remove(&one.of);
        }
        let opened = changes.tasks_opened.into_iter();
        self.tasks.extend(opened.map(|one| (one.of.clone(), one)));
        self.numbers.extend(changes.numbers);
        for one in changes.incidents {
            self.incident(one);
        }
        for one in changes.reindex {
            self.reindex(&one);
        }
    }

    fn link(&mut self, key: &Key, link: Link) {
        if let Some(entity) = self.entities.get(key) {
            let ids = self.looks.entry(look_of(key, &link)).or_default();
            ids.insert(entity.created_seq, key.id().to_owned());
        }
        self.links.entry(key.clone()).or_default().insert(link);
    }

    fn unlink(&mut self, key: &Key, link: &Link) {
        if let Some(set) = self.links.get_mut(key) {
            set.remove(link);
        }
        let Some(entity) = self.entities.get(key) else {
            return;
        };
        let look = look_of(key, link);
        if let Some(ids) = self.looks.get_mut(&look) {
            ids.remove(&entity.created_seq);
            if ids.is_empty() {
                self.looks.remove(&look);
            }
        }
    }

    fn verdict(&mut self, id: String, known: Known) {
        let (about, key) = (known.verdict.key(), known.verdict.detail_key.clone());
        if known.found_by.is_some() && known.cleared.is_none() {
            self.waiting.entry(key).or_default().insert(id.clone());
            self.open.entry(about).or_default().insert(id.clone());
        } else {
            for (set, gone) in [
                (self.waiting.get_mut(&key), &id),
                (self.open.get_mut(&about), &id),
            ] {
                if let Some(set) = set {
                    set.remove(gone);
                }
            }
        }
        self.verdicts.insert(id, known);
    }

    fn incident(&mut self, one: Incident) {
        self.about.insert(one.incident.clone(), one.key());
        let classes = self.incidents.entry(one.key()).or_default();
        let newer = classes.get(&one.class);
        if newer.is_none_or(|last| last.opened_seq <= one.opened_seq) {
            classes.insert(one.class.clone(), one);
        }
    }

    /// Derives the links of a kind's entities anew.
    fn reindex(&mut self, what: &Reindex) {
        let kind = what.kind.to_string();
        let keys: Vec<Key> = self
            .entities
            .keys()
            .filter(|key| key.kind() == kind)
            .cloned()
            .collect();
        self.looks
            .retain(|look, _| *look.kind != *kind || look.is_all());
        for key in keys {
            self.links.remove(&key);
            let Some(entity) = self.entities.get(&key).cloned() else {
                continue;
            };
            let found = links(&what.places, entity.status.name(), &entity.attributes);
            for link in found {
                self.link(&key, link);
            }
        }
    }
}

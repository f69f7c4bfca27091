//! What the ledger knows after the events drawn so far, as far as drawing needs it: the last entities of every kind,
//! which violations are open and which deadlines run. It judges an event on trial, and takes it in or leaves it.
//!
//! It is no model to hold a fold against (that is [`crate::rule::World`], which keeps everything): it forgets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::cel::View;
use crate::kind::Kind;
use crate::name::{KindName, Name};
use crate::rule::{
    Due, Emitted, Entity, Event, Finding, Inputs, Judged, Known, Lookup, RuleKey, Step, Violation,
};

/// How many entities of a kind are known at most.
const KNOWN: usize = 256;
/// How many of the oldest are looked at for one to forget.
const OLDEST: usize = 16;
/// How many open violations are known at most, but for those of entities that are known.
const OPEN: usize = 4096;

/// The entities of a kind.
#[derive(Debug)]
struct Shelf<'a> {
    kind: &'a Kind,
    entities: HashMap<String, Entity>,
    /// By the position of the first event.
    by_age: BTreeMap<u64, String>,
    /// The paths that rules look up.
    paths: Vec<&'a str>,
    /// By the number of the path and the value: those that have it, by age.
    index: HashMap<(usize, String), BTreeMap<u64, String>>,
}

/// A deadline that runs.
#[derive(Debug, Clone, Copy)]
struct Timer {
    due_us: i64,
    armed_seq: u64,
    fired: bool,
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct State<'a> {
    catalog: &'a Catalog,
    shelves: HashMap<&'a KindName, Shelf<'a>>,
    open: BTreeSet<Violation>,
    /// By kind, entity, rule and key.
    timers: BTreeMap<(String, String), BTreeMap<(RuleKey, String), Timer>>,
    due: BTreeSet<(i64, Violation)>,
    /// By the moment from which on something is done about them.
    wakes: BTreeSet<(i64, Violation)>,
}

/// An event to be tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial<'e> {
    pub(super) kind: &'e Kind,
    pub(super) verb: &'e Name,
    pub(super) subject: &'e str,
    pub(super) data: &'e Value,
    pub(super) actor: &'e str,
    pub(super) publisher: &'e str,
    pub(super) at_us: i64,
    pub(super) seq: u64,
}

impl<'a> State<'a> {
    pub(super) fn new(catalog: &'a Catalog) -> Self {
        let mut shelves = HashMap::new();
        for kind in catalog.kinds() {
            let indexed = catalog.rules().indexed().iter();
            let paths = indexed.filter(|(of, _)| *of == kind.name);
            shelves.insert(
                &kind.name,
                Shelf {
                    kind,
                    entities: HashMap::new(),
                    by_age: BTreeMap::new(),
                    paths: paths.map(|(_, path)| path.as_str()).collect(),
                    index: HashMap::new(),
                },
            );
        }
        Self {
            catalog,
            shelves,
            open: BTreeSet::new(),
            timers: BTreeMap::new(),
            due: BTreeSet::new(),
            wakes: BTreeSet::new(),
        }
    }

    /// An entity that is known.
    pub(super) fn get(&self, kind: &KindName, id: &str) -> Option<&Entity> {
        self.shelves.get(kind)?.entities.get(id)
    }

    /// How many entities of a kind are known, and whether a further one makes it forget one that should be kept.
    pub(super) fn is_full(&self, kind: &KindName) -> bool {
        let Some(shelf) = self.shelves.get(kind) else {
            return true;
        };
        shelf.entities.len() >= KNOWN && self.forgettable(shelf).is_none()
    }

    pub(super) fn len(&self, kind: &KindName) -> usize {
        self.shelves
            .get(kind)
            .map_or(0, |shelf| shelf.entities.len())
    }

    /// The entity of that number by age.
    pub(super) fn nth(&self, kind: &KindName, number: usize) -> Option<&Entity> {
        let shelf = self.shelves.get(kind)?;
        let id = shelf.by_age.values().nth(number)?;
        shelf.entities.get(id)
    }

    /// The entities of a kind with that value at a path that rules look up.
    pub(super) fn with(&self, kind: &KindName, path: &str, value: &str) -> Vec<&Entity> {
        let Some(shelf) = self.shelves.get(kind) else {
            return Vec::new();
        };
        let fields = [(path.to_owned(), value.to_owned())];
        shelf.found(&fields)
    }

    /// Judges an event. What it breaks anew comes back, and it is as if nothing had happened; where that is nothing,
    /// or `anyway` says so, it is taken in. Where it is not to be `judged`, too.
    pub(super) fn take(&mut self, trial: Trial<'_>, anyway: bool, judged: bool) -> Vec<Finding> {
        let kind_name = trial.kind.name.to_string();
        let definition = trial.kind.event(trial.verb);
        let plain = definition.map(|one| one.plain(trial.data));
        let context = Map::new();
        let event = Event {
            kind: &kind_name,
            verb: trial.verb.as_str(),
            id: "",
            subject: trial.subject,
            source: "",
            actor: trial.actor,
            publisher: trial.publisher,
            context: &context,
            occurred_us: trial.at_us,
            recorded_us: trial.at_us,
            seq: trial.seq,
            data: plain.as_deref().unwrap_or(trial.data),
        };
        let before = self.remove(&trial.kind.name, trial.subject);
        let mut also = Vec::new();
        if !trial.kind.stateless {
            let (after, said) = Entity::after(before.as_ref(), trial.kind, trial.verb, &event);
            also = said;
            self.put(&trial.kind.name, after);
        }
        let inputs = Inputs {
            event,
            entity: self.get(&trial.kind.name, trial.subject).map(Entity::view),
            before: before.as_ref().map(Entity::view),
        };
        if !judged {
            self.forget(&trial.kind.name);
            return Vec::new();
        }
        let rules = self.catalog.rules();
        let step = rules.judge(&trial.kind.name, trial.verb, &inputs, &also, self);
        // Everything is known here, so nothing is needed.
        let Step::Judged(judged) = step else {
            return Vec::new();
        };
        let broken = self.broken(&judged, trial);
        if broken.is_empty() || anyway {
            self.take_in(judged, trial.seq, trial.at_us);
            self.forget(&trial.kind.name);
        } else {
            self.remove(&trial.kind.name, trial.subject);
            if let Some(before) = before {
                self.put(&trial.kind.name, before);
            }
        }
        broken
    }

    /// What is broken and was not before: a deadline that has passed when it is set, too.
    fn broken(&self, judged: &Judged, trial: Trial<'_>) -> Vec<Finding> {
        let new = |one: &&Finding| {
            let Some(by) = &one.by else {
                return true;
            };
            let of = Violation {
                by: by.clone(),
                kind: one.kind.clone(),
                id: one.id.clone(),
                detail_key: one.detail_key.clone(),
            };
            one.overridden_by.is_none() && !(one.clears && self.open.contains(&of))
        };
        let mut broken: Vec<Finding> = judged.findings.iter().filter(new).cloned().collect();
        for armed in &judged.armed {
            let passed = |(us, excused): &(i64, bool)| *us <= trial.at_us && !excused;
            if armed.due.values().any(passed) {
                broken.push(Finding {
                    kind: armed.kind.to_string(),
                    id: armed.id.to_string(),
                    rule: armed.by.id.to_string(),
                    by: Some(armed.by.clone()),
                    detail_key: String::new(),
                    severity: crate::kind::Severity::Error,
                    judged_from: Vec::new(),
                    clears: false,
                    overridden_by: None,
                    silenced_by: None,
                    redacted: false,
                    instead_of: Vec::new(),
                    not_judged: None,
                });
            }
        }
        broken
    }

    fn take_in(&mut self, judged: Judged, seq: u64, at_us: i64) {
        for one in judged.findings {
            if let (Some(by), None) = (one.by, one.overridden_by) {
                let (kind, id, detail_key) = (one.kind, one.id, one.detail_key);
                self.open.insert(Violation {
                    by,
                    kind,
                    id,
                    detail_key,
                });
            }
        }
        for held in judged.held {
            self.open.retain(|of| {
                (&of.by, &*of.kind, &*of.id) != (&held.by, &*held.kind, &*held.id)
                    || held.broken.contains(&of.detail_key)
            });
        }
        if self.open.len() > OPEN {
            let shelves = &self.shelves;
            self.open.retain(|of| {
                let kind: Option<KindName> = of.kind.parse().ok();
                kind.and_then(|kind| shelves.get(&kind))
                    .is_some_and(|shelf| shelf.entities.contains_key(&of.id))
            });
        }
        for armed in judged.armed {
            let of = (armed.kind.to_string(), armed.id.to_string());
            let timers = self.timers.entry(of).or_default();
            let mut old = BTreeMap::new();
            timers.retain(|(by, key), timer| {
                let other = *by != armed.by;
                if !other {
                    old.insert(key.clone(), *timer);
                }
                other
            });
            for (key, timer) in &old {
                self.due.remove(&(
                    timer.due_us,
                    violation(&armed.by, &armed.kind, &armed.id, key),
                ));
            }
            for (key, (due_us, excused)) in armed.due {
                let same = old
                    .get(&key)
                    .filter(|timer| timer.due_us == due_us)
                    .copied();
                let timer = same.unwrap_or(Timer {
                    due_us,
                    armed_seq: seq,
                    fired: false,
                });
                if !timer.fired && !excused {
                    let of = violation(&armed.by, &armed.kind, &armed.id, &key);
                    if same.is_none() {
                        let half = due_us.saturating_sub(at_us) / 2;
                        self.wakes.insert((at_us.saturating_add(half), of.clone()));
                    }
                    self.due.insert((due_us, of));
                }
                timers.insert((armed.by.clone(), key), timer);
            }
        }
    }

    /// Deadlines whose moment has passed fire. Gives what is found, and the events that the ledger publishes of it.
    pub(super) fn pass(&mut self, at_us: i64, seq: u64) -> (Vec<Finding>, Vec<Emitted>) {
        let (mut found, mut emitted) = (Vec::new(), Vec::new());
        while let Some((due_us, of)) = self.due.first().filter(|(us, _)| *us < at_us).cloned() {
            self.due.pop_first();
            let judged = self.fire(due_us, &of, at_us, seq);
            let timers = self.timers.get_mut(&(of.kind, of.id));
            if let Some(timer) = timers.and_then(|all| all.get_mut(&(of.by, of.detail_key))) {
                timer.fired = true;
            }
            if let Some(judged) = judged {
                found.extend(judged.findings.iter().cloned());
                emitted.extend(judged.emitted.iter().cloned());
                self.take_in(judged, seq, at_us);
            }
        }
        (found, emitted)
    }

    /// A deadline that passes soon, in the second half of its time, and would find something if nothing happened.
    /// Each is named a few times.
    pub(super) fn soon(&mut self, at_us: i64, seq: u64) -> Option<Violation> {
        let (wake_us, of) = self.wakes.first().filter(|(us, _)| *us <= at_us).cloned()?;
        self.wakes.pop_first();
        let timers = self.timers.get(&(of.kind.clone(), of.id.clone()))?;
        let timer = timers.get(&(of.by.clone(), of.detail_key.clone()))?;
        if timer.fired || timer.due_us < at_us {
            return None;
        }
        let due_us = timer.due_us;
        let judged = self.fire(due_us, &of, at_us, seq)?;
        if judged.findings.is_empty() {
            return None;
        }
        let next = at_us
            .saturating_add((due_us - wake_us) / 8)
            .saturating_add(1);
        self.wakes.insert((next, of.clone()));
        Some(of)
    }

    /// What comes of it if a deadline fires.
    fn fire(&self, due_us: i64, of: &Violation, at_us: i64, seq: u64) -> Option<Judged> {
        let kind: KindName = of.kind.parse().ok()?;
        let view = self.get(&kind, &of.id).map(Entity::view);
        let timers = self.timers.get(&(of.kind.clone(), of.id.clone()));
        let timer = timers.and_then(|all| all.get(&(of.by.clone(), of.detail_key.clone())));
        let (context, data) = (Map::new(), Value::Object(Map::new()));
        let event = Event {
            kind: "",
            verb: "",
            id: "",
            subject: "",
            source: "",
            actor: "",
            publisher: "ledger",
            context: &context,
            occurred_us: at_us,
            recorded_us: at_us,
            seq,
            data: &data,
        };
        let inputs = Inputs {
            event,
            entity: view,
            before: view,
        };
        let due = Due {
            due_us,
            kind: of.kind.clone(),
            id: of.id.clone(),
            by: of.by.clone(),
            key: of.detail_key.clone(),
            armed_seq: timer.map_or(0, |timer| timer.armed_seq),
        };
        match self.catalog.rules().fire(&due, &inputs, self) {
            Step::Judged(judged) => Some(judged),
            Step::Needs(_) => None,
        }
    }

    fn remove(&mut self, kind: &KindName, id: &str) -> Option<Entity> {
        self.shelves.get_mut(kind)?.remove(id)
    }

    fn put(&mut self, kind: &KindName, entity: Entity) {
        if let Some(shelf) = self.shelves.get_mut(kind) {
            shelf.put(entity);
        }
    }

    /// One of the oldest entities without a deadline that runs; one that ended before others.
    fn forgettable(&self, shelf: &Shelf<'a>) -> Option<String> {
        let kind = shelf.kind.name.to_string();
        let free = |id: &&String| {
            let timers = self.timers.get(&(kind.clone(), (*id).clone()));
            timers.is_none_or(|all| all.values().all(|one| one.fired))
        };
        let ended = |id: &&String| {
            let entity = shelf.entities.get(*id);
            entity.is_some_and(|one| shelf.is_over(one))
        };
        let oldest = || shelf.by_age.values().take(OLDEST);
        let first = oldest().filter(ended).find(free);
        first.or_else(|| oldest().find(free)).cloned()
    }

    fn forget(&mut self, kind: &KindName) {
        let Some(shelf) = self.shelves.get(kind) else {
            return;
        };
        if shelf.entities.len() <= KNOWN {
            return;
        }
        let oldest = || shelf.by_age.values().next().cloned();
        let Some(id) = self.forgettable(shelf).or_else(oldest) else {
            return;
        };
        self.remove(kind, &id);
        let of = (kind.to_string(), id);
        for ((by, key), timer) in self.timers.remove(&of).into_iter().flatten() {
            self.due
                .remove(&(timer.due_us, violation(&by, &of.0, &of.1, &key)));
        }
    }
}

fn violation(by: &RuleKey, kind: &str, id: &str, key: &str) -> Violation {
    Violation {
        by: by.clone(),
        kind: kind.to_owned(),
        id: id.to_owned(),
        detail_key: key.to_owned(),
    }
}

impl Shelf<'_> {
    fn is_over(&self, entity: &Entity) -> bool {
        let lifecycle = self.kind.lifecycle.as_ref();
        let status = entity.status.as_deref();
        lifecycle
            .zip(status)
            .is_some_and(|(lifecycle, status)| lifecycle.is_terminal(status))
    }

    fn put(&mut self, entity: Entity) {
        for (number, path) in self.paths.iter().enumerate() {
            for value in entity.values(path) {
                let found = self.index.entry((number, value)).or_default();
                found.insert(entity.created.0, entity.id.clone());
            }
        }
        self.by_age.insert(entity.created.0, entity.id.clone());
        self.entities.insert(entity.id.clone(), entity);
    }

    fn remove(&mut self, id: &str) -> Option<Entity> {
        let entity = self.entities.remove(id)?;
        self.by_age.remove(&entity.created.0);
        for (number, path) in self.paths.iter().enumerate() {
            for value in entity.values(path) {
                let key = (number, value);
                if let Some(found) = self.index.get_mut(&key) {
                    found.remove(&entity.created.0);
                    if found.is_empty() {
                        self.index.remove(&key);
                    }
                }
            }
        }
        Some(entity)
    }

    /// The last created first.
    fn found(&self, fields: &[(String, String)]) -> Vec<&Entity> {
        let ids = match fields.first() {
            None => Some(&self.by_age),
            Some((path, value)) => {
                let number = self.paths.iter().position(|one| one == path);
                number.and_then(|number| self.index.get(&(number, value.clone())))
            }
        };
        let all = ids.into_iter().flat_map(|ids| ids.values().rev());
        let all = all.filter_map(|id| self.entities.get(id));
        all.filter(|entity| {
            let mut rest = fields.iter().skip(1);
            rest.all(|(path, value)| entity.values(path).iter().any(|one| one == value))
        })
        .collect()
    }
}

impl Known for State<'_> {
    fn due_us(&self, rule: &RuleKey, kind: &str, id: &str, key: &str) -> Option<Option<i64>> {
        let timers = self.timers.get(&(kind.to_owned(), id.to_owned()));
        let timer = timers.and_then(|all| all.get(&(rule.clone(), key.to_owned())));
        Some(timer.filter(|one| !one.fired).map(|one| one.due_us))
    }

    fn entity(&self, kind: &KindName, id: &str) -> Option<Option<View<'_>>> {
        Some(self.get(kind, id).map(Entity::view))
    }

    fn matching(&self, lookup: &Lookup) -> Option<Vec<View<'_>>> {
        let most = usize::try_from(lookup.most).unwrap_or(usize::MAX);
        let shelf = self.shelves.get(&lookup.kind);
        let found = shelf.map_or_else(Vec::new, |shelf| shelf.found(&lookup.fields));
        Some(found.into_iter().take(most).map(Entity::view).collect())
    }

    fn count(&self, lookup: &Lookup) -> Option<u64> {
        let shelf = self.shelves.get(&lookup.kind);
        let found = match shelf {
            Some(shelf) if lookup.fields.is_empty() => shelf.entities.len(),
            Some(shelf) => shelf.found(&lookup.fields).len(),
            None => 0,
        };
        u64::try_from(found).ok()
    }
}

//! What the ledger knows after the events drawn so far, as far as drawing needs it: the last entities of every kind,
//! which violations are open and which deadlines run. It judges an event on trial, and takes it in or leaves it.
//!
//! It is no model to hold a fold against (that is [`crate::rule::World`], which keeps everything): it forgets.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::stock::Stock;

use crate::catalog::Catalog;
use crate::cel::View;
use crate::kind::Kind;
use crate::name::{KindName, Name};
use crate::rule::{
    Armed, Due, Emitted, Entity, Event, Finding, Inputs, Judged, Known, Lookup, RuleKey, Step,
    Violation,
};

/// How many entities of a kind are known at most.
const KNOWN: usize = 256;
/// How many of the oldest are looked at for one to forget.
const OLDEST: usize = 16;
/// How many open violations are known at most, but for those of entities that are known.
const OPEN: usize = 4096;

/// A deadline that runs.
#[derive(Debug, Clone)]
struct Timer {
    by: RuleKey,
    key: String,
    due_us: i64,
    /// From when on something is done about it.
    wake_us: i64,
    armed_seq: u64,
    fired: bool,
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct State<'a> {
    catalog: &'a Catalog,
    stocks: HashMap<&'a KindName, Stock<'a>>,
    open: BTreeSet<Violation>,
    /// By kind and entity.
    timers: HashMap<String, HashMap<String, Vec<Timer>>>,
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
        let mut stocks = HashMap::new();
        for kind in catalog.kinds() {
            let indexed = catalog.rules().indexed().iter();
            let paths = indexed.filter(|(of, _)| *of == kind.name);
            let paths = paths.map(|(_, path)| path.as_str()).collect();
            stocks.insert(&kind.name, Stock::new(kind, paths));
        }
        Self {
            catalog,
            stocks,
            open: BTreeSet::new(),
            timers: HashMap::new(),
            due: BTreeSet::new(),
            wakes: BTreeSet::new(),
        }
    }

    /// An entity that is known.
    pub(super) fn get(&self, kind: &KindName, id: &str) -> Option<&Entity> {
        self.stocks.get(kind)?.entities.get(id)
    }

    /// How many entities of a kind are known, and whether a further one makes it forget one that should be kept.
    pub(super) fn is_full(&self, kind: &KindName) -> bool {
        let Some(stock) = self.stocks.get(kind) else {
            return true;
        };
        stock.entities.len() >= KNOWN && self.forgettable(stock).is_none()
    }

    pub(super) fn len(&self, kind: &KindName) -> usize {
        self.stocks
            .get(kind)
            .map_or(0, |stock| stock.entities.len())
    }

    /// The entity of that number by age.
    pub(super) fn nth(&self, kind: &KindName, number: usize) -> Option<&Entity> {
        let stock = self.stocks.get(kind)?;
        let id = stock.order.get(number)?;
        stock.entities.get(id)
    }

    /// Whether rules look entities of a kind up by a field.
    pub(super) fn looks_up(&self, kind: &KindName, field: &str) -> bool {
        let stock = self.stocks.get(kind);
        stock.is_some_and(|stock| stock.paths.contains(&field))
    }

    /// The entities of a kind with that value at a path that rules look up.
    pub(super) fn with(&self, kind: &KindName, path: &str, value: &str) -> Vec<&Entity> {
        let Some(stock) = self.stocks.get(kind) else {
            return Vec::new();
        };
        let fields = [(path.into(), value.to_owned())];
        stock.found(&fields)
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
        let (mut before, mut also) = (None, Vec::new());
        if !trial.kind.stateless {
            let known = self.get(&trial.kind.name, trial.subject);
            let (after, said) = Entity::after(known, trial.kind, trial.verb, &event);
            also = said;
            before = self.put(&trial.kind.name, after);
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
            match before {
                Some(before) => {
                    self.put(&trial.kind.name, before);
                }
                None => self.remove(&trial.kind.name, trial.subject),
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
                let Armed { kind, id, by, .. } = armed;
                broken.push(Finding {
                    by: Some(by.clone()),
                    ..Finding::of_the_ledger(kind, id, &by.id, Vec::new())
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
            let stocks = &self.stocks;
            self.open.retain(|of| {
                let kind: Option<KindName> = of.kind.parse().ok();
                kind.and_then(|kind| stocks.get(&kind))
                    .is_some_and(|stock| stock.entities.contains_key(&of.id))
            });
        }
        for armed in judged.armed {
            self.arm(armed, seq, at_us);
        }
    }

    fn arm(&mut self, armed: Armed, seq: u64, at_us: i64) {
        let Armed { by, kind, id, due } = armed;
        let (kind, id) = (kind.to_string(), id.to_string());
        let known = kind
            .parse()
            .is_ok_and(|name| self.get(&name, &id).is_some());
        let mut timers = self.timers.get_mut(&kind).and_then(|all| all.remove(&id));
        let timers = timers.get_or_insert_default();
        let mut old = Vec::new();
        timers.retain(|timer| {
            let stays = timer.by != by;
            if !stays {
                old.push(timer.clone());
            }
            stays
        });
        for timer in &old {
            let of = violation(&by, &kind, &id, &timer.key);
            self.due.remove(&(timer.due_us, of.clone()));
            self.wakes.remove(&(timer.wake_us, of));
        }
        for (key, (due_us, excused)) in due.into_iter().filter(|_| known) {
            let mut same = old.iter().filter(|one| one.key == key);
            let same = same.find(|one| one.due_us == due_us).cloned();
            let of = violation(&by, &kind, &id, &key);
            let half = due_us.saturating_sub(at_us) / 2;
            let timer = same.unwrap_or(Timer {
                by: by.clone(),
                key,
                due_us,
                wake_us: at_us.saturating_add(half),
                armed_seq: seq,
                fired: false,
            });
            if !timer.fired && !excused {
                self.due.insert((due_us, of.clone()));
                self.wakes.insert((timer.wake_us, of));
            }
            timers.push(timer);
        }
        if !timers.is_empty() {
            let timers = std::mem::take(timers);
            self.timers.entry(kind).or_default().insert(id, timers);
        }
    }

    fn timer(&self, of: &Violation) -> Option<&Timer> {
        let mut timers = self.timers.get(&of.kind)?.get(&of.id)?.iter();
        timers.find(|one| one.by == of.by && one.key == of.detail_key)
    }

    /// Deadlines whose moment has passed fire. Gives what is found, and the events that the ledger publishes of it.
    pub(super) fn pass(&mut self, at_us: i64, seq: u64) -> (Vec<Finding>, Vec<Emitted>) {
        let (mut found, mut emitted) = (Vec::new(), Vec::new());
        while let Some((due_us, of)) = self.due.first().filter(|(us, _)| *us < at_us).cloned() {
            self.due.pop_first();
            let judged = self.fire(due_us, &of, at_us, seq);
            let timers = self.timers.get_mut(&of.kind);
            let timers = timers.and_then(|all| all.get_mut(&of.id));
            for timer in timers.into_iter().flatten() {
                timer.fired |= timer.by == of.by && timer.key == of.detail_key;
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
        let timer = self.timer(&of)?;
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
        let timers = self.timers.get_mut(&of.kind);
        let timers = timers.and_then(|all| all.get_mut(&of.id));
        for timer in timers.into_iter().flatten() {
            if timer.by == of.by && timer.key == of.detail_key {
                timer.wake_us = next;
            }
        }
        self.wakes.insert((next, of.clone()));
        Some(of)
    }

    /// What comes of it if a deadline fires.
    fn fire(&self, due_us: i64, of: &Violation, at_us: i64, seq: u64) -> Option<Judged> {
        let kind: KindName = of.kind.parse().ok()?;
        let view = self.get(&kind, &of.id).map(Entity::view);
        let timer = self.timer(of);
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

    fn remove(&mut self, kind: &KindName, id: &str) {
        if let Some(stock) = self.stocks.get_mut(kind) {
            stock.remove(id);
        }
    }

    fn put(&mut self, kind: &KindName, entity: Entity) -> Option<Entity> {
        self.stocks.get_mut(kind)?.put(entity)
    }

    /// One of the oldest entities without a deadline that runs; one that ended before others.
    fn forgettable(&self, stock: &Stock<'a>) -> Option<String> {
        let timers = self.timers.get(&stock.kind.name.to_string());
        let free = |id: &&String| {
            let timers = timers.and_then(|all| all.get(*id));
            timers.is_none_or(|all| all.iter().all(|one| one.fired))
        };
        let ended = |id: &&String| {
            let entity = stock.entities.get(*id);
            entity.is_some_and(|one| stock.is_over(one))
        };
        let oldest = || stock.order.iter().take(OLDEST);
        let first = oldest().filter(ended).find(free);
        first.or_else(|| oldest().find(free)).cloned()
    }

    fn forget(&mut self, kind: &KindName) {
        let Some(stock) = self.stocks.get(kind) else {
            return;
        };
        if stock.entities.len() <= KNOWN {
            return;
        }
        let oldest = || stock.order.first().cloned();
        let Some(id) = self.forgettable(stock).or_else(oldest) else {
            return;
        };
        self.remove(kind, &id);
        let kind = kind.to_string();
        let timers = self.timers.get_mut(&kind).and_then(|all| all.remove(&id));
        for timer in timers.into_iter().flatten() {
            let of = violation(&timer.by, &kind, &id, &timer.key);
            self.due.remove(&(timer.due_us, of.clone()));
            self.wakes.remove(&(timer.wake_us, of));
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

impl Known for State<'_> {
    fn due_us(&self, rule: &RuleKey, kind: &str, id: &str, key: &str) -> Option<Option<i64>> {
        let timers = self.timers.get(kind).and_then(|all| all.get(id));
        let mut timers = timers.into_iter().flatten();
        let timer = timers.find(|one| one.by == *rule && one.key == key);
        Some(timer.map(|one| one.due_us))
    }

    fn entity(&self, kind: &KindName, id: &str) -> Option<Option<View<'_>>> {
        Some(self.get(kind, id).map(Entity::view))
    }

    fn matching(&self, lookup: &Lookup) -> Option<Vec<View<'_>>> {
        let most = usize::try_from(lookup.most).unwrap_or(usize::MAX);
        let stock = self.stocks.get(&lookup.kind);
        let found = stock.map_or_else(Vec::new, |stock| stock.found(&lookup.fields));
        Some(found.into_iter().take(most).map(Entity::view).collect())
    }

    fn count(&self, lookup: &Lookup) -> Option<u64> {
        let stock = self.stocks.get(&lookup.kind);
        let found = match stock {
            Some(stock) if lookup.fields.is_empty() => stock.entities.len(),
            Some(stock) => stock.found(&lookup.fields).len(),
            None => 0,
        };
        u64::try_from(found).ok()
    }
}

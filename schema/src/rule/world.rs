//! A ledger's state in memory: for scenarios of rules, and as the model that a fold is held against.
//!
//! It keeps everything and looks everything up by going through it. What the fold of the projections does with
//! indexes, batches and a database comes to the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde_json::Value;

use super::inputs::{Event, Inputs, Known, Lookup, RuleKey};
use super::judge::{
    Armed, Due, Emitted, Finding, Judged, Opened, Resolved, Step, TaskOpened, Violation,
};
use super::publisher::{self, Numbered};
use super::{FROM_MISMATCH, ILLEGAL};
use crate::catalog::Catalog;
use crate::cel::View;
use crate::entity::{Entity as State, Status, Times};
use crate::kind::Kind;
use crate::merge::Changing;
use crate::name::{KindName, Name};

/// An entity as it is kept.
#[derive(Debug, Clone)]
pub(crate) struct Entity {
    pub(crate) state: State,
    pub(crate) kind: String,
    pub(crate) id: String,
}

impl Entity {
    /// What an event makes of an entity, and what the lifecycle says of it.
    pub(crate) fn after(
        before: Option<&Self>,
        declared: &Kind,
        verb: &Name,
        event: &Event<'_>,
    ) -> (Self, Vec<Finding>) {
        let mut also = Vec::new();
        let status = before.and_then(Self::status);
        let step = declared.step(status, verb, event.data);
        if !step.legal {
            also.push(lifecycle(event, ILLEGAL));
        }
        let claimed = step.from_claimed.as_deref();
        if before.is_some() && claimed.is_some_and(|from| Some(from) != status) {
            also.push(lifecycle(event, FROM_MISMATCH));
        }
        let (seq, at) = (
            event.seq,
            Times {
                occurred_us: event.occurred_us,
                recorded_us: event.recorded_us,
            },
        );
        let mut entity = before.cloned().unwrap_or_else(|| Self {
            state: State {
                created_seq: seq,
                created: at,
                ..State::default()
            },
            kind: event.kind.to_owned(),
            id: event.subject.to_owned(),
        });
        let state = &mut entity.state;
        (state.seq, state.changed) = (seq, at);
        if let Some(name) = step.to {
            state.status = Status::Is {
                name,
                seq,
                since_us: at.occurred_us,
                recorded_us: at.recorded_us,
            };
        }
        let mut changing = Changing::new(&mut state.attributes);
        declared.merge(&mut changing, verb, event.data);
        declared.mark(
            &mut changing,
            verb,
            Some(event.data),
            event.actor,
            event.occurred_us,
        );
        (entity, also)
    }

    /// Its status, where it has one.
    pub(crate) fn status(&self) -> Option<&str> {
        self.state.status.name()
    }

    /// The values at a dotted path, as an index keeps them.
    pub(crate) fn values(&self, path: &str) -> Vec<String> {
        if path == "status"
            && let Some(status) = self.status()
        {
            return vec![status.to_owned()];
        }
        crate::rule::index_values(&self.state.attributes, path)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View::new(&self.kind, &self.id, &self.state)
    }
}

/// Every entity that there is, every violation and incident that is open, every deadline that is set.
#[derive(Debug, Clone, Default)]
pub struct World {
    entities: BTreeMap<(KindName, String), Entity>,
    /// By rule, entity and key: the position of the cause.
    open: BTreeMap<Violation, u64>,
    /// The last of each class and entity: the position that opened it, and that of its last cause; whether it is open.
    incidents: BTreeMap<(String, String, String), (u64, u64, bool)>,
    /// By class and entity, with the position that opened it: those that are open.
    tasks: BTreeMap<(String, String, String), u64>,
    /// The highest of each publisher and source.
    numbers: BTreeMap<(String, String), Option<u64>>,
    /// By rule, entity and key.
    deadlines: BTreeMap<Violation, Deadline>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    due_us: i64,
    armed_seq: u64,
    fired: bool,
}

/// What an event, and the deadlines that it found due, came to.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Violations that are raised.
    pub raised: Vec<Finding>,
    /// Violations that are mended.
    pub cleared: Vec<Violation>,
    /// Incidents that open.
    pub opened: Vec<Opened>,
    /// Incidents that are open and gain a cause.
    pub causes: Vec<Opened>,
    /// Incidents that were open and are resolved.
    pub resolved: Vec<Resolved>,
    /// Tasks that open.
    pub tasks: Vec<TaskOpened>,
    /// Events that the ledger publishes.
    pub emitted: Vec<Emitted>,
}

impl World {
    /// Finds what is due before an event that is neither folded nor judged: one about no entity, or a verdict.
    pub fn pass(&mut self, catalog: &Catalog, event: Event<'_>) -> Told {
        let mut told = Told::default();
        self.fire(catalog, event, &mut told);
        self.hear(catalog, &event, &mut told);
        told
    }

    /// Finds what is due, folds an event and judges it. `kind` and `verb` are its type's.
    pub fn apply(
        &mut self,
        catalog: &Catalog,
        kind: &KindName,
        verb: &Name,
        event: Event<'_>,
    ) -> Told {
        let mut told = Told::default();
        self.fire(catalog, event, &mut told);
        self.hear(catalog, &event, &mut told);
        let key = (kind.clone(), event.subject.to_owned());
        let before = self.entities.get(&key).cloned();
        let mut also = Vec::new();
        let definition = catalog.kind(kind).and_then(|kind| kind.event(verb));
        let data = definition.map_or(Cow::Borrowed(event.data), |one| one.plain(event.data));
        let event = Event {
            data: &data,
            ..event
        };
        if let Some(declared) = catalog.kind(kind).filter(|kind| !kind.stateless) {
            let (after, said) = Entity::after(before.as_ref(), declared, verb, &event);
            also = said;
            self.entities.insert(key.clone(), after);
        }
        let inputs = Inputs {
            event,
            entity: self.entities.get(&key).map(Entity::view),
            before: before.as_ref().map(Entity::view),
        };
        // Everything is known here, so nothing is needed.
        if let Step::Judged(judged) = catalog.rules().judge(kind, verb, &inputs, &also, self) {
            self.take_in(judged, event.seq, &mut told);
        }
        if event.kind == "ledger.task" && event.verb == "closed" {
            self.close_task(&key);
        }
        told
    }

    /// What an event says of its publisher: the number that it gave it, and that it is not silent.
    fn hear(&mut self, catalog: &Catalog, event: &Event<'_>, told: &mut Told) {
        let (publisher, source) = (event.publisher, event.source);
        if publisher.is_empty() || publisher == "ledger" {
            return;
        }
        let rules = catalog.rules();
        let said = event.context.get(publisher::SEQUENCE);
        if let Some(number) = said.and_then(Value::as_str).and_then(publisher::number) {
            let highest = (self.numbers).entry((publisher.to_owned(), source.to_owned()));
            let highest = highest.or_default();
            let numbered = Numbered {
                publisher,
                source,
                seq: event.seq,
                number,
            };
            let mut judged = rules.numbers(numbered, *highest);
            *highest = (*highest).max(Some(number));
            // Everything is known here.
            drop(judged.silence(event.recorded_us, self));
            self.take_in(judged, event.seq, told);
        }
        if let Some(armed) = rules.hears(publisher, event.recorded_us) {
            self.arm(&armed, event.seq, told);
        }
    }

    /// Somebody closed a task: another of its class may be opened about the entity.
    fn close_task(&mut self, task: &(KindName, String)) {
        let closed = self.entities.get(task).and_then(|task| {
            let text = |name: &str| Some(task.state.attributes.get(name)?.as_str()?.to_owned());
            let opened = task.state.attributes.get("cause_seq")?.as_u64()?;
            Some(((text("class")?, text("kind")?, text("id")?), opened))
        });
        if let Some((of, opened)) = closed
            && self.tasks.get(&of) == Some(&opened)
        {
            self.tasks.remove(&of);
        }
    }

    /// Before an event is folded, every deadline whose moment lies before it fires, in the order of moment, entity
    /// and rule.
    fn fire(&mut self, catalog: &Catalog, event: Event<'_>, told: &mut Told) {
        let mut due: Vec<Due> = self
            .deadlines
            .iter()
            .filter(|(_, one)| !one.fired && one.due_us < event.recorded_us)
            .map(|(of, one)| Due {
                due_us: one.due_us,
                kind: of.kind.clone(),
                id: of.id.clone(),
                by: of.by.clone(),
                key: of.detail_key.clone(),
                armed_seq: one.armed_seq,
            })
            .collect();
        due.sort();
        for due in due {
            let entity = due
                .kind
                .parse()
                .ok()
                .and_then(|kind: KindName| self.entities.get(&(kind, due.id.clone())));
            let view = entity.map(Entity::view);
            let inputs = Inputs {
                event,
                entity: view,
                before: view,
            };
            let step = catalog.rules().fire(&due, &inputs, self);
            let Due {
                by, kind, id, key, ..
            } = due;
            let of = Violation {
                by,
                kind,
                id,
                detail_key: key,
            };
            if let Some(one) = self.deadlines.get_mut(&of) {
                one.fired = true;
            }
            if let Step::Judged(judged) = step {
                self.take_in(judged, event.seq, told);
            }
        }
    }

    fn take_in(&mut self, judged: Judged, seq: u64, told: &mut Told) {
        // While a violation is open, what is broken still is no new cause.
        let news = |one: &Opened| {
            one.with
                .as_ref()
                .is_none_or(|of| !self.open.contains_key(of))
        };
        let mut new = judged.opened;
        new.retain(news);
        for finding in judged.findings {
            if let (Some(by), true) = (&finding.by, finding.overridden_by.is_none()) {
                let of = Violation {
                    by: by.clone(),
                    kind: finding.kind.clone(),
                    id: finding.id.clone(),
                    detail_key: finding.detail_key.clone(),
                };
                // What is broken still is not raised again.
                if finding.clears && self.open.contains_key(&of) {
                    continue;
                }
                // Parts of one rule that one event breaks are one verdict, which the last of them clears.
                self.open
                    .retain(|one, cause| *cause != seq || !one.is_another_part(&of));
                if finding.silenced_by.is_none() {
                    self.open.insert(of, seq);
                }
            }
            told.raised.push(finding);
        }
        for held in judged.held {
            self.clear(told, |of| {
                (&of.by, &*of.kind, &*of.id) == (&held.by, &*held.kind, &*held.id)
                    && !held.broken.contains(&of.detail_key)
            });
        }
        for arrived in judged.arrived {
            self.clear(told, |of| {
                of.by == arrived.by && of.detail_key == arrived.id
            });
        }
        for armed in judged.armed {
            self.arm(&armed, seq, told);
        }
        for opened in new {
            let of = (opened.class.clone(), opened.kind.clone(), opened.id.clone());
            match self.incidents.get_mut(&of) {
                Some((_, last, true)) if *last == seq => {}
                Some((_, last, true)) => {
                    *last = seq;
                    told.causes.push(opened);
                }
                _ => {
                    self.incidents.insert(of, (seq, seq, true));
                    told.opened.push(opened);
                }
            }
        }
        for resolved in judged.resolved {
            if self.end(&resolved.class, &resolved.kind, &resolved.id, None) {
                told.resolved.push(resolved);
            }
        }
        for task in judged.tasks {
            let of = (task.class.clone(), task.kind.clone(), task.id.clone());
            if let Entry::Vacant(free) = self.tasks.entry(of) {
                free.insert(seq);
                told.tasks.push(task);
            }
        }
        told.emitted.extend(judged.emitted);
    }

    fn clear(&mut self, told: &mut Told, mended: impl Fn(&Violation) -> bool) {
        let all: Vec<Violation> = self.open.keys().filter(|of| mended(of)).cloned().collect();
        for of in all {
            self.open.remove(&of);
            told.cleared.push(of);
        }
    }

    fn arm(&mut self, armed: &Armed, seq: u64, told: &mut Told) {
        let of = |key: &String| Violation {
            by: armed.by.clone(),
            kind: armed.kind.to_string(),
            id: armed.id.to_string(),
            detail_key: key.clone(),
        };
        let same = |one: &Violation| {
            (&one.by, &*one.kind, &*one.id) == (&armed.by, &*armed.kind, &*armed.id)
        };
        let set: Vec<Violation> = self
            .deadlines
            .keys()
            .filter(|one| same(one))
            .cloned()
            .collect();
        for one in set {
            let kept = armed.due.get(&one.detail_key);
            let stays = self
                .deadlines
                .get(&one)
                .zip(kept)
                .is_some_and(|(was, (us, _))| was.due_us == *us);
            if !stays {
                self.deadlines.remove(&one);
            }
            if !stays || kept.is_some_and(|(_, excused)| *excused) {
                self.clear(told, |open| *open == one);
            }
        }
        for (key, (due_us, _)) in &armed.due {
            let new = Deadline {
                due_us: *due_us,
                armed_seq: seq,
                fired: false,
            };
            self.deadlines.entry(of(key)).or_insert(new);
        }
    }

    /// Ends the incident of a class about an entity, if one is open; with a position, only the one that it opened. This is
    /// also what somebody does who resolves one by hand.
    pub fn end(&mut self, class: &str, kind: &str, id: &str, opened_seq: Option<u64>) -> bool {
        let of = (class.to_owned(), kind.to_owned(), id.to_owned());
        match self.incidents.get_mut(&of) {
            Some((opened, _, open)) if *open && opened_seq.is_none_or(|seq| seq == *opened) => {
                *open = false;
                true
            }
            _ => false,
        }
    }

    /// Violations that are open.
    pub fn open(&self) -> impl Iterator<Item = &Violation> {
        self.open.keys()
    }

    fn found(&self, lookup: &Lookup) -> Vec<&Entity> {
        let all = self
            .entities
            .iter()
            .filter(|((kind, _), _)| *kind == lookup.kind);
        let mut found: Vec<&Entity> = all
            .map(|(_, entity)| entity)
            .filter(|entity| {
                let has = |(path, value): &(Arc<str>, String)| {
                    entity.values(path).iter().any(|one| one == value)
                };
                lookup.fields.iter().all(has)
            })
            .collect();
        found.sort_by_key(|entity| std::cmp::Reverse(entity.state.created_seq));
        found
    }
}

/// What the lifecycle says of an event.
fn lifecycle(event: &Event<'_>, rule: &str) -> Finding {
    Finding::of_the_ledger(event.kind, event.subject, rule, vec![event.seq])
}

impl Known for World {
    fn due_us(&self, rule: &RuleKey, kind: &str, id: &str, key: &str) -> Option<Option<i64>> {
        let of = Violation {
            by: rule.clone(),
            kind: kind.to_owned(),
            id: id.to_owned(),
            detail_key: key.to_owned(),
        };
        Some(self.deadlines.get(&of).map(|one| one.due_us))
    }

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

//! What folds leave, as maps: the plain model of the database that every test of a fold writes to.

#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use projections::catalogs::Catalogs;
use projections::derived::Expected;
use projections::entity::{Entity, Key};
use projections::fact::Fact;
use projections::fold::{
    self, Changes, Checkpoint, Deadline, DueFound, DuePage, Fold, Known, Line, Link, Loaded, Look,
    Needs, Numbers, Quarantined, Scope, Task, TaskOf, UNWRITTEN, World,
};
use projections::incident::Incident;
use projections::verdict::Verdict;
use schema::rule::Due;
use schema::{Catalog, LedgerName};
use serde_json::Value;

use crate::records::{CLEARED, Message, RAISED};

/// The database, as maps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Rows {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) entities: BTreeMap<Key, Entity>,
    pub(crate) links: BTreeSet<(Key, Link)>,
    pub(crate) history: Vec<Line>,
    pub(crate) verdicts: BTreeMap<String, Known>,
    pub(crate) deadlines: BTreeSet<Deadline>,
    pub(crate) derived: BTreeMap<String, Expected>,
    /// Everything that was sent but verdicts and incidents: cause, type, subject and data.
    pub(crate) sent: BTreeSet<(u64, String, String, String)>,
    pub(crate) tasks: BTreeMap<TaskOf, Task>,
    pub(crate) numbers: BTreeMap<Numbers, u64>,
    pub(crate) incidents: BTreeMap<String, Incident>,
    pub(crate) causes: BTreeSet<(String, u64)>,
    /// By identifier.
    pub(crate) outbox: BTreeMap<String, Message>,
    pub(crate) quarantined: Vec<Quarantined>,
    pub(crate) activations: Vec<(u64, String)>,
    pub(crate) unexpected: u64,
}

/// How many deadlines are loaded at a time, and how many a batch may fire.
const PAGE: usize = 3;
const FIRES: usize = 5;

impl Rows {
    /// After the activation of a catalog at position 0.
    pub(crate) fn after_activation() -> Self {
        Self {
            checkpoint: Checkpoint {
                next: 1,
                ..Checkpoint::default()
            },
            ..Self::default()
        }
    }

    /// The verdicts that were published and did not come back yet.
    pub(crate) fn on_their_way(&self) -> Vec<Verdict> {
        let ids = self
            .outbox
            .iter()
            .filter(|(_, one)| one.event_type == RAISED);
        let verdicts = ids.filter_map(|(id, _)| self.verdicts.get(id));
        verdicts.map(|known| known.verdict.clone()).collect()
    }

    fn found(&self, look: &Look) -> BTreeMap<u64, String> {
        let says = |link: &Link| {
            (&link.field, &link.target_kind, &link.target_id)
                == (&look.field, &look.target_kind, &look.target_id)
        };
        let all = *look == Look::all(&look.kind);
        let here = self
            .entities
            .iter()
            .filter(|(key, _)| *key.kind() == *look.kind);
        here.filter(|(key, _)| {
            all || self
                .links
                .iter()
                .any(|(from, link)| from == *key && says(link))
        })
        .map(|(key, entity)| (entity.created_seq, key.id().to_owned()))
        .collect()
    }

    fn load(&self, needs: &Needs) -> Loaded {
        let entity = |key: &Key| Some((key.clone(), self.entities.get(key)?.clone()));
        let verdict = |id: &String| Some((id.clone(), self.verdicts.get(id)?.clone()));
        let derived = |id: &String| Some((id.clone(), self.derived.get(id)?.clone()));
        let open = || {
            let all = self.verdicts.iter();
            all.filter(|(_, one)| one.found_by.is_some() && one.cleared.is_none())
        };
        let about = |one: &Known| needs.entities.iter().any(|key| *key == one.verdict.key());
        let waits = |one: &Known| {
            let key = &one.verdict.detail_key;
            needs
                .waiting
                .contains(key)
                .then(|| (key.clone(), one.verdict.key()))
        };
        Loaded {
            entities: needs.entities.iter().filter_map(entity).collect(),
            verdicts: needs.verdicts.iter().filter_map(verdict).collect(),
            derived: needs.derived.iter().filter_map(derived).collect(),
            tasks: (needs.tasks.iter())
                .filter_map(|of| self.tasks.get(of).cloned())
                .collect(),
            numbers: (needs.numbers.iter())
                .filter_map(|of| Some((of.clone(), *self.numbers.get(of)?)))
                .collect(),
            about: needs
                .incidents
                .iter()
                .filter_map(|id| Some((id.clone(), self.incidents.get(id)?.key())))
                .collect(),
            incidents: self.last_incidents(needs),
            open: open()
                .filter(|(_, one)| about(one))
                .map(|(id, one)| (id.clone(), one.clone()))
                .collect(),
            looks: needs
                .looks
                .iter()
                .map(|look| (look.clone(), self.found(look)))
                .collect(),
            counts: (needs.counts.iter())
                .map(|look| {
                    (
                        look.clone(),
                        u64::try_from(self.found(look).len()).expect("few"),
                    )
                })
                .collect(),
            waiting: open().filter_map(|(_, one)| waits(one)).collect(),
            deadlines: (self.deadlines.iter())
                .filter(|one| {
                    let Due { kind, id, .. } = &one.due;
                    (needs.entities.iter()).any(|key| (key.kind(), key.id()) == (kind, id))
                })
                .cloned()
                .collect(),
            due: needs
                .due
                .as_ref()
                .map_or_else(DueFound::default, |page| self.due(page)),
            // No catalog here drops a rule or a class, and nothing is deleted.
            ..Loaded::default()
        }
    }

    /// The last of each class about the entities that are asked for.
    fn last_incidents(&self, needs: &Needs) -> Vec<Incident> {
        let about = |one: &&Incident| needs.entities.iter().any(|key| *key == one.key());
        let mut all: Vec<&Incident> = self.incidents.values().filter(about).collect();
        all.sort_by_key(|one| one.opened_seq);
        let last = all
            .into_iter()
            .map(|one| ((one.class.clone(), one.key()), one.clone()));
        last.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    fn due(&self, page: &DuePage) -> DueFound {
        let unfired = self.deadlines.iter().filter(|one| !one.fired);
        let mut unfired: Vec<Due> = unfired.map(|one| one.due.clone()).collect();
        unfired.sort();
        unfired.retain(|due| {
            (page.from_us..page.before_us).contains(&due.due_us)
                && page.after.as_ref().is_none_or(|after| due > after)
        });
        unfired.truncate(PAGE);
        DueFound {
            more: unfired.len() == PAGE,
            page: unfired,
        }
    }

    fn write(&mut self, changes: Changes) {
        self.checkpoint = changes.checkpoint;
        for one in changes.entities {
            let old = self.entities.insert(one.key.clone(), (*one.entity).clone());
            assert_eq!(old.is_none(), one.new, "{:?}", one.key);
        }
        for one in changes.relinked {
            let said = |link: &Link| (one.key.clone(), link.clone());
            for link in one.removed() {
                assert!(self.links.remove(&said(link)), "it was there");
            }
            for link in one.added() {
                assert!(self.links.insert(said(link)), "it was not there");
            }
        }
        for one in changes.reindex {
            let kind = one.kind.to_string();
            self.links.retain(|(key, _)| key.kind() != kind);
            for (key, entity) in self.entities.iter().filter(|(key, _)| key.kind() == kind) {
                let new = fold::links(&one.places, entity.status.name(), &entity.attributes);
                self.links
                    .extend(new.into_iter().map(|link| (key.clone(), link)));
            }
        }
        self.history.extend(changes.history);
        for (id, known) in changes.verdicts {
            let old = self.verdicts.insert(id.clone(), known);
            assert_eq!(old.is_some(), changes.renewed.contains(&id), "{id}");
        }
        for one in &changes.disarmed {
            assert!(self.deadlines.remove(one), "it was there: {one:?}");
        }
        for one in changes.armed {
            assert!(self.deadlines.insert(one), "it was not there");
        }
        for verdict in changes.publish {
            let message = Message::about(RAISED, verdict.subject(), verdict.data());
            assert!(self.outbox.insert(verdict.violation(), message).is_none());
        }
        for (verdict, cleared) in changes.announce {
            let message = Message::about(CLEARED, verdict.subject(), cleared.data());
            assert!(self.outbox.insert(cleared.id(), message).is_none());
        }
        self.derived.extend(changes.derived);
        for one in changes.incidents {
            let known = changes.known_incidents.contains(&one.incident);
            let old = self.incidents.insert(one.incident.clone(), one);
            assert_eq!(old.is_some(), known);
        }
        for one in changes.causes {
            assert!(self.causes.insert(one), "one event is one cause");
        }
        for one in changes.tasks_closed {
            assert_eq!(self.tasks.remove(&one.of), Some(one));
        }
        for one in changes.tasks_opened {
            assert_eq!(self.tasks.insert(one.of.clone(), one), None);
        }
        self.numbers.extend(changes.numbers);
        for event in changes.send {
            if !event.event_type.starts_with("ledger.incident.") {
                let data: Value = serde_json::from_slice(&event.data).expect("JSON");
                let (subject, data) = said_of(&event.event_type, &event.subject, &data);
                self.sent
                    .insert((event.cause_seq, event.event_type.clone(), subject, data));
            }
            let context = (!event.context.is_empty())
                .then(|| serde_json::to_string(&event.context).expect("JSON"));
            let message = Message {
                event_type: event.event_type,
                subject: event.subject,
                context: context.unwrap_or_default(),
                data: event.data,
            };
            assert!(self.outbox.insert(event.id, message).is_none());
        }
        for id in changes.settled {
            assert!(self.outbox.remove(&id).is_some(), "it was on its way");
        }
        self.quarantined.extend(changes.quarantined);
        self.activations.extend(changes.activations);
        self.unexpected += changes.unexpected;
    }

    /// Folds facts that may be several batches; `world` is what is remembered of those before.
    pub(crate) fn fold(&mut self, way: &Way<'_>, world: World, facts: &[Fact]) -> World {
        self.fold_behind(way, world, facts, &mut OnTheWay::default())
    }

    /// The same, while batches are on their way.
    fn fold_behind(
        &mut self,
        way: &Way<'_>,
        mut world: World,
        facts: &[Fact],
        before: &mut OnTheWay,
    ) -> World {
        let mut rest = facts;
        while !rest.is_empty() {
            let (next, taken) = self.batch(way, world, &rest[..fold::batch(rest)], before);
            world = next;
            rest = &rest[taken..];
        }
        world
    }

    /// Folds a chain in these cuts, over and over, from nothing, with room for so many bytes to remember.
    pub(crate) fn fold_in<'a>(
        &mut self,
        cuts: &[Cut],
        most: usize,
        facts: &[Fact],
        way: impl Fn(bool) -> Way<'a>,
    ) {
        let (mut rest, mut cuts) = (facts, cuts.iter().cycle());
        let mut world = World::of_nothing().within(most);
        let mut before = OnTheWay::default();
        while !rest.is_empty() {
            let cut = cuts.next().expect("endless");
            let (batch, after) = rest.split_at(rest.len().min(cut.length));
            if cut.forget {
                (world, before) = (World::default(), OnTheWay::default());
            }
            world = self.fold_behind(&way(cut.foreseen), world, batch, &mut before);
            rest = after;
        }
    }

    /// One batch: these facts, or as many of them as very many deadlines leave room for.
    fn batch(
        &mut self,
        way: &Way<'_>,
        world: World,
        facts: &[Fact],
        before: &mut OnTheWay,
    ) -> (World, usize) {
        let load = |rows: &Self, needs: &Needs| {
            let before = before.rows().filter(|_| needs.are_names());
            before.unwrap_or(rows).load(needs)
        };
        let mut fold = Fold::begin(
            &main_ledger(),
            way.catalogs,
            way.scope,
            self.checkpoint,
            world,
        )
        .firing_at_most(FIRES);
        if way.foreseen != Foreseen::Nothing {
            let needs = fold.foresee(facts);
            let loaded = load(self, &needs);
            fold = fold.supply(needs, loaded);
        }
        let mut rest = facts;
        loop {
            let (next, taken, needs) = fold.steps(rest).expect("in order");
            rest = &rest[taken..];
            way.check(&needs);
            let ends = needs.is_empty();
            let loaded = load(self, &needs);
            fold = next.supply(needs, loaded);
            if ends {
                let (changes, world) = fold.finish();
                before.push(changes.activations.is_empty().then(|| self.clone()));
                self.write(changes);
                return (world, facts.len() - rest.len());
            }
        }
    }
}

/// How the rows were before each of the last batches, as many as may be on their way; `None` where one activated a
/// catalog.
#[derive(Debug, Default)]
struct OnTheWay(VecDeque<Option<Rows>>);

impl OnTheWay {
    fn push(&mut self, rows: Option<Rows>) {
        self.0.push_back(rows);
        if self.0.len() > usize::from(UNWRITTEN) {
            self.0.pop_front();
        }
    }

    /// How they may still be, unless one that is on its way activated a catalog.
    fn rows(&self) -> Option<&Rows> {
        let all = self.0.iter().all(Option::is_some);
        self.0.front().filter(|_| all)?.as_ref()
    }
}

/// A cut of a chain into batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Behind so many facts.
    pub(crate) length: usize,
    /// Whether all that is remembered of the batches before is forgotten.
    pub(crate) forget: bool,
    /// Whether what can be foreseen is loaded beforehand.
    pub(crate) foreseen: bool,
}

/// How a chain is folded.
#[derive(Clone)]
pub(crate) struct Way<'a> {
    pub(crate) catalogs: &'a Catalogs,
    pub(crate) scope: &'a Scope,
    pub(crate) foreseen: Foreseen,
}

/// What of what a batch touches is loaded before its first step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Foreseen {
    Nothing,
    /// What the facts tell by themselves; rules ask for more.
    Told,
    /// All of it, but for what silences a finding: that is asked once there is one.
    All,
}

impl Way<'_> {
    fn check(&self, needs: &Needs) {
        let rest = Needs {
            counts: BTreeSet::new(),
            ..needs.clone()
        };
        let silencing = needs.counts.iter().all(|look| &*look.kind == "ledger.rule");
        assert!(
            self.foreseen != Foreseen::All || (silencing && rest.is_empty()),
            "all was foreseen: {needs:?}"
        );
    }
}

pub(crate) fn main_ledger() -> LedgerName {
    LedgerName::new("main").expect("legal")
}

/// A catalog that is active from position 0.
pub(crate) fn activated(catalog: Arc<Catalog>) -> Catalogs {
    let mut catalogs = Catalogs::default();
    catalogs.activate(0, catalog);
    catalogs
}

/// What these facts change, as one batch of a projection that has nothing yet.
pub(crate) fn changes(catalog: Arc<Catalog>, facts: &[Fact]) -> Changes {
    let (catalogs, at) = (activated(catalog), Rows::after_activation().checkpoint);
    let known = World::of_nothing();
    let mut fold = Fold::begin(&main_ledger(), &catalogs, &Scope::All, at, known);
    let mut rest = facts;
    loop {
        let (next, taken, needs) = fold.steps(rest).expect("in order");
        rest = &rest[taken..];
        if needs.is_empty() {
            assert!(rest.is_empty(), "they are one batch");
            return next.finish().0;
        }
        // Nothing was there before.
        fold = next.supply(needs, Loaded::default());
    }
}

/// What an event says that was sent: of a task what it is about, since its id follows from that.
fn said_of(event_type: &str, subject: &str, data: &Value) -> (String, String) {
    if event_type != "ledger.task.opened" {
        return (subject.to_owned(), data.to_string());
    }
    let about = format!("{}/{}", data["kind"], data["id"]).replace('"', "");
    (about, data["class"].as_str().expect("a class").to_owned())
}

//! The rules of the built-in kinds, folded: whatever happens and however the chain is cut, the same is raised and cleared
//! as by the plain model in memory.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ledger::record::Body;
use ledger::{Header, Record};
use projections::catalogs::Catalogs;
use projections::derived::Expected;
use projections::entity::{Entity, Key};
use projections::fact::Fact;
use projections::fold::{
    Blocked, Changes, Checkpoint, Deadline, DueFound, DuePage, Fold, Known, Link, Linked, Loaded,
    Look, Needs, Numbers, Scope, Task, TaskOf, World,
};
use projections::incident::Incident;
use projections::verdict::{Cleared, How, Verdict};
use proptest::prelude::*;
use schema::rule::{Due, Event};
use schema::sample::Sampler;
use schema::{Catalog, LedgerName, Name, Package};
use serde_json::{Map, Value, json};

const RAISED: &str = "ledger.violation.raised";
const CLEARED: &str = "ledger.violation.cleared";

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let compiled = Catalog::of(
        &Package::builtin(),
        json!({ "publisher": { "silent_after": "2d" } }),
    );
    Arc::new(compiled.expect("the built-in packages fit together"))
});

fn catalogs() -> Catalogs {
    let mut catalogs = Catalogs::default();
    catalogs.activate(0, CATALOG.clone());
    catalogs
}

/// What happens to an event before it is sent.
#[derive(Debug, Clone)]
enum Mutation {
    Nothing,
    /// The member of that number is missing.
    Without(usize),
    /// That member has the value of an event so many before.
    Mixed(usize, usize),
    /// It is about the entity of an event so many before.
    About(usize),
    /// An event so many before is said again.
    Again(usize),
}

#[derive(Debug, Clone)]
enum Act {
    Happens(Mutation, u8),
    /// The message of that number, of those on their way, comes back.
    Return(usize),
    /// Somebody acknowledges the incident of that number, or resolves it.
    Decided(usize, bool),
    /// The rule of the verdict of that number is silenced, about its entity alone or about all, for so many minutes.
    Silence(usize, bool, u32),
    /// Somebody closes the task of that number.
    Closed(usize),
    /// The first publisher's next number is so much higher than it would be, or lower.
    Skips(i8),
    /// A message is refused: an event about no entity.
    Refused,
    /// So many minutes pass without anything.
    Pause(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let mutation = prop_oneof![
        6 => Just(Mutation::Nothing),
        1 => (0..12_usize).prop_map(Mutation::Without),
        2 => (0..12_usize, 1..20_usize).prop_map(|(member, back)| Mutation::Mixed(member, back)),
        1 => (1..20_usize).prop_map(Mutation::About),
        3 => (1..20_usize).prop_map(Mutation::Again),
    ];
    prop_oneof![
        5 => (mutation, 0..3_u8).prop_map(|(mutation, who)| Act::Happens(mutation, who)),
        1 => (0..8_usize).prop_map(Act::Return),
        1 => (0..8_usize, any::<bool>()).prop_map(|(number, ends)| Act::Decided(number, ends)),
        1 => (0..8_usize).prop_map(Act::Closed),
        1 => (-3..20_i8).prop_map(Act::Skips),
        1 => Just(Act::Refused),
        1 => (0..20_usize, any::<bool>(), 0..60_u32)
            .prop_map(|(number, alone, minutes)| Act::Silence(number, alone, minutes)),
        2 => prop_oneof![1..300_u32, 300..200_000_u32].prop_map(Act::Pause),
    ]
}

/// An event of the sample, perhaps mutated.
#[derive(Debug, Clone)]
struct Said {
    event_type: String,
    subject: String,
    data: Value,
}

fn mutate(new: Said, mutation: &Mutation, before: &[Said]) -> Said {
    let back = |many: usize| before.len().checked_sub(many).map(|at| &before[at]);
    let mut said = new;
    let name = |said: &Said, member: usize| {
        let names = said.data.as_object().into_iter().flat_map(Map::keys);
        names.cycle().nth(member).cloned()
    };
    match mutation {
        Mutation::Nothing => {}
        Mutation::Without(member) => {
            if let (Some(name), Some(data)) = (name(&said, *member), said.data.as_object_mut()) {
                data.remove(&name);
            }
        }
        Mutation::Mixed(member, many) => {
            if let Some(other) = back(*many)
                && let Some(name) = name(other, *member)
            {
                said.data[&name] = other.data[&name].clone();
            }
        }
        Mutation::About(many) => {
            if let Some(other) = back(*many) {
                said.subject.clone_from(&other.subject);
            }
        }
        Mutation::Again(many) => {
            if let Some(other) = back(*many) {
                said = other.clone();
            }
        }
    }
    said
}

const MINUTE_US: i64 = 60_000_000;

fn time(minute: u32) -> i64 {
    1_785_704_400_000_000 + i64::from(minute) * MINUTE_US
}

fn record(header: Header, data: Vec<u8>) -> Record {
    Record {
        data_commitment: [0; 32],
        event_hash: [0; 32],
        chain: [u8::try_from(header.seq % 251).expect("a byte"); 32],
        header,
        body: Some(Body {
            salt: [0; 32],
            data: data.into(),
        }),
    }
}

fn happened(seq: u64, now_us: i64, who: u8, number: Option<i64>, said: &Said) -> Record {
    let context = number.map(|number| format!(r#"{{"sequence":"{number}"}}"#));
    let header = Header {
        context: context.unwrap_or_default(),
        seq,
        occurred_us: now_us - i64::from(who) * 90_000_000,
        recorded_us: now_us,
        source: "/tests".to_owned(),
        id: format!("e{seq}"),
        event_type: said.event_type.clone(),
        subject: said.subject.clone(),
        actor: format!("person-{who}"),
        publisher: format!("tool-{who}"),
        ..Header::default()
    };
    record(header, said.data.to_string().into_bytes())
}

/// A message on its way: the type, the entity, the data.
type Message = (String, String, Vec<u8>);

fn refused(seq: u64, now_us: i64) -> Record {
    let header = Header {
        seq,
        occurred_us: now_us,
        recorded_us: now_us,
        source: "ledger://main".to_owned(),
        id: format!("refused/{seq}"),
        event_type: "ledger.event.quarantined".to_owned(),
        ..Header::default()
    };
    record(header, br#"{"reason":"json.syntax"}"#.to_vec())
}

fn returned(seq: u64, now_us: i64, id: &str, (event_type, subject, data): &Message) -> Record {
    let header = Header {
        seq,
        occurred_us: now_us,
        recorded_us: now_us,
        source: "ledger://main".to_owned(),
        id: id.to_owned(),
        event_type: event_type.clone(),
        subject: subject.clone(),
        publisher: "ledger".to_owned(),
        ..Header::default()
    };
    record(header, data.clone())
}

/// The database, as maps.
#[derive(Debug, Clone, PartialEq)]
struct Rows {
    checkpoint: Checkpoint,
    entities: BTreeMap<Key, Entity>,
    links: BTreeSet<(Key, Link)>,
    verdicts: BTreeMap<String, Known>,
    deadlines: BTreeSet<Deadline>,
    derived: BTreeMap<String, Expected>,
    /// Everything that was sent but verdicts and incidents: cause, type, subject and data.
    sent: BTreeSet<(u64, String, String, String)>,
    tasks: BTreeMap<TaskOf, Task>,
    numbers: BTreeMap<Numbers, u64>,
    incidents: BTreeMap<String, Incident>,
    causes: BTreeSet<(String, u64)>,
    outbox: BTreeMap<String, Message>,
    unexpected: u64,
}

/// How many deadlines are loaded at a time, and how many a batch may fire.
const PAGE: usize = 3;
const FIRES: usize = 5;

impl Rows {
    fn new() -> Self {
        Self {
            checkpoint: Checkpoint {
                next: 1,
                ..Checkpoint::default()
            },
            entities: BTreeMap::new(),
            links: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            derived: BTreeMap::new(),
            sent: BTreeSet::new(),
            tasks: BTreeMap::new(),
            numbers: BTreeMap::new(),
            incidents: BTreeMap::new(),
            causes: BTreeSet::new(),
            outbox: BTreeMap::new(),
            unexpected: 0,
        }
    }

    fn found(&self, look: &Look) -> BTreeMap<u64, String> {
        let says = |link: &Link| {
            (&link.field, &link.target_kind, &link.target_id)
                == (&look.field, &look.target_kind, &look.target_id)
        };
        let all = *look == Look::all(look.kind.clone());
        let here = self
            .entities
            .iter()
            .filter(|(key, _)| *key.kind == *look.kind);
        here.filter(|(key, _)| {
            all || self
                .links
                .iter()
                .any(|(from, link)| from == *key && says(link))
        })
        .map(|(key, entity)| (entity.created_seq, key.id.clone()))
        .collect()
    }

    fn load(&self, needs: &Needs) -> Loaded {
        let entity = |key: &Arc<Key>| Some(((**key).clone(), self.entities.get(&**key)?.clone()));
        let verdict = |id: &String| Some((id.clone(), self.verdicts.get(id)?.clone()));
        let derived = |id: &String| Some((id.clone(), self.derived.get(id)?.clone()));
        let open = || {
            let all = self.verdicts.iter();
            all.filter(|(_, one)| one.found_by.is_some() && one.cleared.is_none())
        };
        let about = |one: &Known| needs.entities.iter().any(|key| **key == one.verdict.key());
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
            // One catalog judges all of it.
            dropped: Vec::new(),
            of_classes: Vec::new(),
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
                    (needs.entities.iter()).any(|key| (&key.kind, &key.id) == (kind, id))
                })
                .cloned()
                .collect(),
            due: needs
                .due
                .as_ref()
                .map_or_else(DueFound::default, |page| self.due(page)),
            blocked: Blocked::default(),
        }
    }

    /// The last of each class about the entities that are asked for.
    fn last_incidents(&self, needs: &Needs) -> Vec<Incident> {
        let about = |one: &&Incident| needs.entities.iter().any(|key| **key == one.key());
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
            let old = self
                .entities
                .insert((*one.key).clone(), (*one.entity).clone());
            assert_eq!(old.is_none(), one.new, "{:?}", one.key);
        }
        for Linked { key, link, .. } in changes.unlinked {
            assert!(self.links.remove(&((*key).clone(), link)), "it was there");
        }
        for Linked { key, link, .. } in changes.linked {
            assert!(
                self.links.insert(((*key).clone(), link)),
                "it was not there"
            );
        }
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
            let message = (RAISED.to_owned(), verdict.subject(), verdict.data());
            assert!(self.outbox.insert(verdict.violation(), message).is_none());
        }
        for (verdict, cleared) in changes.announce {
            let message = (CLEARED.to_owned(), verdict.subject(), cleared.data());
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
            let message = (event.event_type, event.subject, event.data);
            assert!(self.outbox.insert(event.id, message).is_none());
        }
        for id in changes.settled {
            assert!(self.outbox.remove(&id).is_some(), "it was on its way");
        }
        self.unexpected += changes.unexpected;
    }

    fn fold(&mut self, mut world: World, facts: &[Fact], foreseen: bool) -> World {
        let mut rest = facts;
        while !rest.is_empty() {
            let (next, taken) = self.batch(world, rest, foreseen);
            world = next;
            rest = &rest[taken..];
        }
        world
    }

    /// One batch: these facts, or as many of them as very many deadlines leave room for.
    fn batch(&mut self, world: World, facts: &[Fact], foreseen: bool) -> (World, usize) {
        let main = LedgerName::new("main").expect("legal");
        let catalogs = catalogs();
        let mut fold = Fold::begin(&main, &catalogs, &Scope::All, self.checkpoint, world)
            .firing_at_most(FIRES);
        if foreseen {
            let needs = fold.foresee(facts);
            let loaded = self.load(&needs);
            fold = fold.supply(needs, loaded);
        }
        let mut rest = facts;
        loop {
            let (next, taken, needs) = fold.steps(rest).expect("in order");
            rest = &rest[taken..];
            let ends = needs.is_empty();
            let loaded = self.load(&needs);
            fold = next.supply(needs, loaded);
            if ends {
                let (changes, world) = fold.finish();
                self.write(changes);
                return (world, facts.len() - rest.len());
            }
        }
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

/// An incident: what opened it, its class and entity, how bad it is; what opened the one before; what ended it; its causes.
type Opened = (
    u64,
    String,
    String,
    String,
    String,
    Option<u64>,
    Option<u64>,
    Vec<u64>,
);

/// What was raised, by position, entity, rule, key and severity; what was cleared, by position, rule, entity and key; and
/// the incidents.
#[derive(Debug, Default, PartialEq)]
struct Came {
    incidents: BTreeSet<Opened>,
    sent: BTreeSet<(u64, String, String, String)>,
    raised: BTreeSet<(u64, String, String, String, String, String)>,
    cleared: BTreeSet<(u64, String, String, String, String)>,
    /// By position, rule, entity and key, the event by which it is silenced.
    silenced: BTreeSet<(u64, String, String, String, String, u64)>,
}

impl Came {
    /// What the model says of an event.
    fn of_model(&mut self, model: &mut schema::rule::World, fact: &Fact) {
        let header = &fact.header;
        let (kind, verb) = (fact.event_type.kind(), fact.event_type.verb());
        let event = Event {
            kind: &kind.to_string(),
            verb: verb.as_str(),
            id: &header.id,
            subject: &header.subject,
            source: &header.source,
            actor: &header.actor,
            publisher: &header.publisher,
            context: &serde_json::from_str(&header.context).unwrap_or_default(),
            occurred_us: header.occurred_us,
            recorded_us: header.recorded_us,
            seq: header.seq,
            data: &fact.data.as_ref().expect("data").value,
        };
        let told = if fact.is_own("violation", verb.as_str()) || fact.key.is_none() {
            model.pass(&CATALOG, event)
        } else {
            model.apply(&CATALOG, kind, verb, event)
        };
        // What the ledger itself says of incidents is no fact that its lifecycle judges.
        let ours = fact.follows() && kind.package.as_str() == "ledger";
        for one in told.raised {
            if ours && one.by.is_none() && one.rule != schema::rule::NOT_JUDGED {
                continue;
            }
            let severity = one.severity.to_string();
            if let Some(by) = one.silenced_by {
                let (rule, kind, id) = (one.rule.clone(), one.kind.clone(), one.id.clone());
                self.silenced
                    .insert((header.seq, rule, kind, id, one.detail_key.clone(), by));
            }
            self.raised.insert((
                header.seq,
                one.kind,
                one.id,
                one.rule,
                one.detail_key,
                severity,
            ));
        }
        for one in told.cleared {
            let by = format!("{}/{}/{}", one.by.owner, one.by.id, one.by.part);
            self.cleared
                .insert((header.seq, by, one.kind, one.id, one.detail_key));
        }
        for one in told.tasks {
            let about = format!("{}/{}", one.kind, one.id);
            let what = "ledger.task.opened".to_owned();
            self.sent.insert((header.seq, what, about, one.class));
        }
        for one in told.emitted {
            let said = (
                header.seq,
                one.event_type,
                one.subject,
                one.data.to_string(),
            );
            self.sent.insert(said);
        }
        for one in told.opened {
            let severity = one.severity.to_string();
            let of = (&one.class, &one.kind, &one.id);
            let before = self.last(of).map(|before| before.0);
            self.incidents.insert((
                header.seq,
                one.class,
                one.kind,
                one.id,
                severity,
                before,
                None,
                vec![header.seq],
            ));
        }
        for one in told.causes {
            self.change((&one.class, &one.kind, &one.id), |of| of.7.push(header.seq));
        }
        for one in told.resolved {
            self.change((&one.class, &one.kind, &one.id), |of| {
                of.6 = Some(header.seq);
            });
        }
    }

    fn last(&self, (class, kind, id): (&String, &String, &String)) -> Option<&Opened> {
        let mut all = self.incidents.iter().rev();
        all.find(|one| (&one.1, &one.2, &one.3) == (class, kind, id))
    }

    fn change(&mut self, of: (&String, &String, &String), how: impl FnOnce(&mut Opened)) {
        let last = self.last(of).cloned().expect("there is one");
        let mut changed = self.incidents.take(&last).expect("there is one");
        how(&mut changed);
        self.incidents.insert(changed);
    }

    /// Somebody resolved an incident by hand.
    fn ended(&mut self, model: &mut schema::rule::World, incident: &Incident, seq: u64) {
        let Incident {
            class, kind, id, ..
        } = incident;
        if model.end(class, kind, id, Some(incident.opened_seq)) {
            self.change((class, kind, id), |of| of.6 = Some(seq));
        }
    }

    /// What is here and not there: a difference that can be read.
    fn without(&self, other: &Self) -> Self {
        Self {
            raised: &self.raised - &other.raised,
            cleared: &self.cleared - &other.cleared,
            incidents: &self.incidents - &other.incidents,
            silenced: &self.silenced - &other.silenced,
            sent: &self.sent - &other.sent,
        }
    }

    /// What the fold says in the end.
    fn of_fold(rows: &Rows) -> Self {
        let mut came = Self {
            sent: rows.sent.clone(),
            ..Self::default()
        };
        for one in rows.incidents.values().cloned() {
            let before = one.reopens.and_then(|id| rows.incidents.get(&id));
            let causes = rows.causes.iter().filter(|(of, _)| *of == one.incident);
            came.incidents.insert((
                one.opened_seq,
                one.class,
                one.kind,
                one.id,
                one.severity,
                before.map(|before| before.opened_seq),
                one.resolved.map(|word| word.seq),
                causes.map(|(_, seq)| *seq).collect(),
            ));
        }
        for known in rows.verdicts.values() {
            let one = known.verdict.clone();
            if let Some(clearing) = known.cleared.filter(|clearing| clearing.how == How::Mended) {
                let by = known
                    .found_by
                    .clone()
                    .expect("only what a rule found is mended");
                came.cleared.insert((
                    clearing.by_seq,
                    by,
                    one.kind.clone(),
                    one.id.clone(),
                    one.detail_key.clone(),
                ));
            }
            if let Some(clearing) = known.cleared.filter(|one| one.how == How::Silenced) {
                came.silenced.insert((
                    one.cause_seq,
                    one.rule.clone(),
                    one.kind.clone(),
                    one.id.clone(),
                    one.detail_key.clone(),
                    clearing.by_seq,
                ));
            }
            came.raised.insert((
                one.cause_seq,
                one.kind,
                one.id,
                one.rule,
                one.detail_key,
                one.severity,
            ));
        }
        came
    }
}

const PACKAGES: [&str; 5] = ["", "cluster", "delivery", "platform", "release"];

/// The rule of a verdict is silenced until then.
fn silence(verdict: &Verdict, alone: bool, until_us: i64) -> Said {
    let Verdict { rule, kind, id, .. } = verdict;
    let mut data = json!({ "rule": rule, "reason": "r", "until_us": until_us });
    let mut subject = rule.clone();
    if alone {
        data["kind"] = json!(kind);
        data["id"] = json!(id);
        subject = format!("{rule}/{kind}/{id}");
    }
    Said {
        event_type: "ledger.rule.silenced".to_owned(),
        subject,
        data,
    }
}

/// How much is remembered from batch to batch, in bytes: nothing, some of it, all.
fn most() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 2000, 8000, 64 << 20])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_judges_as_the_model_does_in_any_cut(
        seed in any::<u64>(),
        package in 0..PACKAGES.len(),
        acts in prop::collection::vec(act(), 1..120),
        cuts in prop::collection::vec((1..30_usize, prop::bool::weighted(0.2), any::<bool>()), 1..20),
        most in most(),
    ) {
        let only: Vec<Name> = Name::new(PACKAGES[package]).into_iter().collect();
        let mut sampler = Sampler::new(&CATALOG, &only, seed).expect("there are kinds").unruly(1000);
        let (mut model, mut expected) = (schema::rule::World::default(), Came::default());
        let mut living = Rows::new();
        let (mut said, mut facts): (Vec<Said>, Vec<Fact>) = (Vec::new(), Vec::new());
        let mut minute = 0;
        let mut number = 0;
        for act in &acts {
            let seq = living.checkpoint.next;
            minute += 1;
            let now = time(minute);
            let mut decided = None;
            let record = match act {
                Act::Happens(mutation, who) => {
                    let new = sampler.next(now);
                    let new = Said { event_type: new.event_type, subject: new.subject, data: new.data };
                    let new = mutate(new, mutation, &said);
                    said.push(new.clone());
                    let said = (*who == 0).then(|| {
                        number += 1;
                        number
                    });
                    happened(seq, now, *who, said, &new)
                }
                Act::Return(number) => {
                    let many = living.outbox.len().max(1);
                    let Some((id, message)) = living.outbox.iter().nth(number % many) else { continue };
                    returned(seq, now, id, message)
                }
                Act::Decided(number, ends) => {
                    let many = living.incidents.len().max(1);
                    let Some(one) = living.incidents.values().nth(number % many).cloned() else { continue };
                    decided = ends.then(|| one.clone());
                    let verb = if *ends { "resolved" } else { "acknowledged" };
                    happened(seq, now, 1, None, &Said {
                        event_type: format!("ledger.incident.{verb}"),
                        subject: one.incident.clone(),
                        data: json!({ "incident": one.incident }),
                    })
                }
                Act::Closed(which) => {
                    let tasks = living.entities.keys().filter(|key| key.kind == "ledger.task");
                    let tasks: Vec<String> = tasks.map(|key| key.id.clone()).collect();
                    let Some(task) = tasks.get(which % tasks.len().max(1)) else { continue };
                    happened(seq, now, 1, None, &Said {
                        event_type: "ledger.task.closed".to_owned(),
                        subject: task.clone(),
                        data: json!({ "task": task }),
                    })
                }
                Act::Skips(by) => {
                    number = (number + i64::from(*by)).max(0);
                    continue;
                }
                Act::Refused => refused(seq, now),
                Act::Silence(number, alone, minutes) => {
                    let many = living.verdicts.len().max(1);
                    let Some(known) = living.verdicts.values().nth(number % many) else { continue };
                    happened(seq, now, 0, None, &silence(&known.verdict, *alone, time(minute + minutes)))
                }
                Act::Pause(minutes) => {
                    minute += minutes;
                    continue;
                }
            };
            let fact = Fact::read(record).expect("readable");
            expected.of_model(&mut model, &fact);
            if let Some(incident) = decided {
                expected.ended(&mut model, &incident, seq);
            }
            living.fold(World::default(), std::slice::from_ref(&fact), false);
            facts.push(fact);
        }
        let came = Came::of_fold(&living);
        prop_assert_eq!(came.without(&expected), expected.without(&came));
        prop_assert_eq!(living.unexpected, 0);

        let mut rebuilt = Rows::new();
        let (mut rest, mut cuts) = (&facts[..], cuts.iter().cycle());
        let mut world = World::of_nothing().within(most);
        while !rest.is_empty() {
            let (length, forget, foreseen) = *cuts.next().expect("endless");
            let (batch, after) = rest.split_at(rest.len().min(length));
            let known = if forget { World::default() } else { world };
            world = rebuilt.fold(known, batch, foreseen);
            rest = after;
        }
        prop_assert_eq!(rebuilt, living);
    }
}

/// An environment, and nothing wrong with it but what it lacks.
fn story() -> Vec<Said> {
    let said = |event_type: &str, subject: &str, data: Value| Said {
        event_type: event_type.to_owned(),
        subject: subject.to_owned(),
        data,
    };
    vec![said(
        "platform.environment.created",
        "staging",
        json!({ "name": "staging" }),
    )]
}

#[test]
fn a_forged_clearing_is_a_verdict() {
    let mut rows = Rows::new();
    let facts: Vec<Fact> = story()
        .iter()
        .map(|said| happened(1, time(1), 0, None, said))
        .chain([{
            let forged = Cleared {
                violation: "a".repeat(64),
                by_seq: 1,
                how: How::Mended,
            };
            let message = (
                CLEARED.to_owned(),
                "platform.environment/staging".to_owned(),
                forged.data(),
            );
            returned(2, time(2), &forged.id(), &message)
        }])
        .map(|record| Fact::read(record).expect("readable"))
        .collect();
    rows.fold(World::default(), &facts, true);
    let rules: Vec<&Verdict> = rows.verdicts.values().map(|one| &one.verdict).collect();
    let unexpected = rules.iter().find(|one| one.rule == "verdict.unexpected");
    assert_eq!(unexpected.map(|one| one.cause_seq), Some(2), "{rules:?}");
    assert_eq!(rows.unexpected, 1);
}

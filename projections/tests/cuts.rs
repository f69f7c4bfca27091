//! Random chains of several kinds, with catalogs that come and go, unknown kinds and deleted data: however the chain is
//! cut, and whatever is remembered from one batch to the next, the rows are the same. Links follow from attributes and
//! catalog alone.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use ledger::record::Body;
use ledger::{Header, Record};
use projections::catalogs::Catalogs;
use projections::entity::{Entity, Key};
use projections::fact::Fact;
use projections::fold::{
    self, Changes, Checkpoint, Fold, Known, Line, Link, Linked, Loaded, Needs, Quarantined, Scope,
    World,
};
use projections::verdict::Verdict;
use proptest::prelude::*;
use schema::{Catalog, LedgerName, Name, Package};
use serde_json::{Value, json};

/// A kind of things that stand in rooms and know one another; which of that is a reference differs.
fn thing(entity: &str, room: bool, friends: bool) -> String {
    let reference = |kind: &str, there: bool| {
        if there {
            format!("reference = \"{kind}\"\n")
        } else {
            String::new()
        }
    };
    format!(
        r#"kind = "house.{entity}"
title = "A {entity}"
about = "A {entity} of the tests."
subject = "Its name."
view = "{entity}s"
retention = "forever"

[fields.room]
type = "string"
about = "Where it stands."
{}
[fields.friends]
type = "array"
of = {{ type = "string" }}
about = "Whom it knows."
{}
[fields.parts]
type = "array"
about = "Its parts."
[fields.parts.of]
type = "object"
[fields.parts.of.fields.from]
type = "string"
about = "Where it is from."
{}
[events.put]
about = "It was put there."
creates = true
to = "there"
carries = "all"

[events.taken]
about = "It was taken away."
to = "gone"
carries = ["room"]

[lifecycle]
start = ["there"]
terminal = ["gone"]

[lifecycle.states]
there = "It stands there."
gone = "It does not."

[[lifecycle.edges]]
from = "there"
to = "gone"
"#,
        reference("house.room", room),
        reference(&format!("house.{entity}"), friends),
        reference("house.room", room && friends),
    )
}

fn catalog(files: &[(&str, String)]) -> Arc<Catalog> {
    let name = Name::new("house").expect("legal");
    let files = files
        .iter()
        .map(|(name, text)| (format!("{name}.toml"), text.clone()));
    let house = Package::parse(name, files.collect()).expect("the kinds load");
    let ledger = Package::builtin_named("ledger").expect("the built-in package loads");
    Arc::new(Catalog::of(&[ledger, house], json!({})).expect("they compile"))
}

/// The catalogs that a chain may activate: with and without references, and without one of the kinds.
static ALL: LazyLock<Vec<Arc<Catalog>>> = LazyLock::new(|| {
    let room = || ("room", thing("room", false, true));
    vec![
        catalog(&[("lamp", thing("lamp", false, false)), room()]),
        catalog(&[("lamp", thing("lamp", true, false)), room()]),
        catalog(&[("lamp", thing("lamp", true, true)), room()]),
        catalog(&[("lamp", thing("lamp", false, true))]),
    ]
});

/// What happens next in a random chain.
#[derive(Debug, Clone)]
enum Act {
    Put(u8, u8, Value),
    Taken(u8, u8, bool),
    Activate(usize),
    /// The verdict of that number, of those on their way, comes back.
    Return(usize),
    Quarantined,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let data = (
        prop::option::of(name()),
        prop::option::of(prop::collection::vec(name(), 0..3)),
        prop::collection::vec(prop::option::of(name()), 0..3),
        any::<bool>(),
    );
    let data = data.prop_map(|(room, friends, parts, forget)| {
        let mut data = json!({ "parts": parts.iter().map(|from| json!({ "from": from })).collect::<Vec<_>>() });
        if room.is_some() || forget {
            data["room"] = json!(room);
        }
        if let Some(friends) = friends {
            data["friends"] = json!(friends);
        }
        data
    });
    prop_oneof![
        8 => (0..3_u8, 0..4_u8, data).prop_map(|(kind, id, data)| Act::Put(kind, id, data)),
        3 => (0..3_u8, 0..4_u8, any::<bool>()).prop_map(|(kind, id, there)| Act::Taken(kind, id, there)),
        2 => (0..4_usize).prop_map(Act::Activate),
        3 => (0..8_usize).prop_map(Act::Return),
        1 => Just(Act::Quarantined),
    ]
}

fn record(seq: u64, event_type: &str, subject: &str, id: &str, data: Option<Vec<u8>>) -> Record {
    let time = i64::try_from(seq).expect("small");
    let ours = event_type.starts_with("ledger.");
    let header = Header {
        seq,
        occurred_us: time * 7,
        recorded_us: time * 10,
        source: if ours { "ledger://main" } else { "/tests" }.to_owned(),
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        subject: subject.to_owned(),
        publisher: if ours { "ledger" } else { "tests" }.to_owned(),
        ..Header::default()
    };
    Record {
        header,
        data_commitment: [0; 32],
        event_hash: [0; 32],
        chain: [u8::try_from(seq % 251).expect("a byte"); 32],
        body: data.map(|data| Body {
            salt: [0; 32],
            data: data.into(),
        }),
    }
}

/// The record for an act at a position.
fn write(seq: u64, act: &Act, on_their_way: &[Verdict], catalogs: &mut Catalogs) -> Option<Record> {
    // `ghost` is in no catalog.
    let kind = |kind: u8| ["lamp", "room", "ghost"][usize::from(kind)];
    let id = format!("e{seq}");
    Some(match act {
        Act::Put(of, name, data) => {
            let name = ["a", "b", "c", "d"][usize::from(*name)];
            let data = data.to_string().into_bytes();
            record(
                seq,
                &format!("house.{}.put", kind(*of)),
                name,
                &id,
                Some(data),
            )
        }
        Act::Taken(of, name, there) => {
            let name = ["a", "b", "c", "d"][usize::from(*name)];
            let data = there.then(|| json!({ "room": null }).to_string().into_bytes());
            record(seq, &format!("house.{}.taken", kind(*of)), name, &id, data)
        }
        Act::Activate(number) => {
            catalogs.activate(seq, ALL[*number].clone());
            record(
                seq,
                "ledger.catalog.activated",
                "main",
                &id,
                Some(b"{}".to_vec()),
            )
        }
        Act::Return(number) => {
            let verdict = on_their_way.get(number % on_their_way.len().max(1))?;
            let (subject, id) = (verdict.subject(), verdict.violation());
            record(
                seq,
                "ledger.violation.raised",
                &subject,
                &id,
                Some(verdict.data()),
            )
        }
        Act::Quarantined => {
            let data = json!({ "reason": "json.syntax", "at": "", "size": 3 }).to_string();
            record(
                seq,
                "ledger.event.quarantined",
                "",
                &id,
                Some(data.into_bytes()),
            )
        }
    })
}

/// The database, as maps.
#[derive(Debug, Clone, PartialEq, Default)]
struct Rows {
    checkpoint: Checkpoint,
    entities: BTreeMap<Key, Entity>,
    links: BTreeSet<(Key, Link)>,
    history: Vec<Line>,
    verdicts: BTreeMap<String, Known>,
    outbox: BTreeMap<String, Verdict>,
    quarantined: Vec<Quarantined>,
    activations: Vec<(u64, String)>,
}

impl Rows {
    fn load(&self, needs: &Needs) -> Loaded {
        let entity = |key: &Arc<Key>| Some(((**key).clone(), self.entities.get(&**key)?.clone()));
        let verdict = |id: &String| Some((id.clone(), self.verdicts.get(id)?.clone()));
        // Nothing of these kinds is cleared, nor looked up.
        Loaded {
            entities: needs.entities.iter().filter_map(entity).collect(),
            verdicts: needs.verdicts.iter().filter_map(verdict).collect(),
            ..Loaded::default()
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
        for one in changes.reindex {
            let kind = one.kind.to_string();
            self.links.retain(|(key, _)| key.kind != kind);
            for (key, entity) in self.entities.iter().filter(|(key, _)| key.kind == kind) {
                let new = fold::links(&one.places, entity.status.name(), &entity.attributes);
                self.links
                    .extend(new.into_iter().map(|link| (key.clone(), link)));
            }
        }
        self.history.extend(changes.history);
        self.verdicts.extend(changes.verdicts);
        let new = changes.publish.into_iter();
        self.outbox.extend(new.map(|one| (one.violation(), one)));
        for id in changes.settled {
            assert!(self.outbox.remove(&id).is_some(), "it was on its way");
        }
        self.quarantined.extend(changes.quarantined);
        self.activations.extend(changes.activations);
    }

    /// Folds one stretch of the chain; `foreseen` is whether what it touches is loaded beforehand.
    fn fold(
        &mut self,
        catalogs: &Catalogs,
        scope: &Scope,
        mut world: World,
        mut facts: &[Fact],
        foreseen: bool,
    ) -> World {
        let main = LedgerName::new("main").expect("legal");
        while !facts.is_empty() {
            let (mut batch, rest) = facts.split_at(fold::batch(facts));
            facts = rest;
            let mut fold = Fold::begin(&main, catalogs, scope, self.checkpoint, world);
            if foreseen {
                let needs = fold.foresee(batch);
                let loaded = self.load(&needs);
                fold = fold.supply(needs, loaded);
            }
            while !batch.is_empty() {
                let (next, taken, needs) = fold.steps(batch).expect("in order");
                // What silences a finding is asked once there is one.
                let rest = Needs {
                    counts: BTreeSet::new(),
                    ..needs.clone()
                };
                let silencing = needs.counts.iter().all(|look| &*look.kind == "ledger.rule");
                assert!(
                    !foreseen || (silencing && rest.is_empty()),
                    "all was foreseen: {needs:?}"
                );
                let loaded = self.load(&needs);
                fold = next.supply(needs, loaded);
                batch = batch.split_at(taken).1;
            }
            let (changes, next) = fold.finish();
            self.write(changes);
            world = next;
        }
        world
    }
}

/// How much is remembered from batch to batch, in bytes: nothing, some of it, all.
fn most() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 2000, 8000, 64 << 20])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_and_no_memory_makes_a_difference(
        acts in prop::collection::vec(act(), 1..80),
        cuts in prop::collection::vec((1..12_usize, prop::bool::weighted(0.2), any::<bool>()), 1..40),
        most in most(),
    ) {
        let mut catalogs = Catalogs::default();
        let mut living = Rows::default();
        let mut facts: Vec<Fact> = Vec::new();
        for act in &acts {
            let on_their_way: Vec<Verdict> = living.outbox.values().cloned().collect();
            let seq = living.checkpoint.next;
            let Some(record) = write(seq, act, &on_their_way, &mut catalogs) else { continue };
            facts.push(Fact::read(record).expect("readable"));
            living.fold(&catalogs, &Scope::All, World::default(), facts.split_at(facts.len() - 1).1, false);
        }

        // Links follow from attributes and catalog.
        let catalog = catalogs.at(living.checkpoint.next);
        let derived: BTreeSet<(Key, Link)> = living.entities.iter().flat_map(|(key, entity)| {
            let places = catalog.indexed(&key.kind.parse().expect("a kind"));
            fold::links(places, entity.status.name(), &entity.attributes).into_iter().map(|link| (key.clone(), link))
        }).collect();
        prop_assert_eq!(&living.links, &derived);
        // The history has every event about an entity once, and an entity as many as it says.
        for (key, entity) in &living.entities {
            let lines = living.history.iter().filter(|line| *line.key == *key).count();
            prop_assert_eq!(u64::try_from(lines).expect("few"), entity.events);
        }

        let mut rebuilt = Rows::default();
        let (mut rest, mut cuts) = (&facts[..], cuts.iter().cycle());
        let mut world = World::of_nothing().within(most);
        while !rest.is_empty() {
            let (length, forget, foreseen) = *cuts.next().expect("endless");
            let (batch, after) = rest.split_at(rest.len().min(length));
            let known = if forget { World::default() } else { world };
            world = rebuilt.fold(&catalogs, &Scope::All, known, batch, foreseen);
            rest = after;
        }
        prop_assert_eq!(&rebuilt, &living);

        // One package's rows are those of the whole.
        let house = |key: &Key| key.kind.starts_with("house.");
        let mut package = Rows::default();
        let scope = Scope::Package(Name::new("house").expect("legal"));
        package.fold(&catalogs, &scope, World::of_nothing().within(most), &facts, true);
        prop_assert_eq!(package.checkpoint, living.checkpoint);
        let mut whole = living;
        whole.entities.retain(|key, _| house(key));
        whole.links.retain(|(key, _)| house(key));
        whole.history.retain(|line| house(&line.key));
        prop_assert_eq!(package.entities, whole.entities);
        prop_assert_eq!(package.links, whole.links);
        prop_assert_eq!(package.history, whole.history);
        prop_assert!(package.verdicts.is_empty() && package.outbox.is_empty());
    }
}

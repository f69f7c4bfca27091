//! Random chains of several kinds, with catalogs that come and go, unknown kinds and deleted data: however the chain is
//! cut, and whatever is remembered from one batch to the next, the rows are the same. Links follow from attributes and
//! catalog alone.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use ledger::{Header, Record};
use projections::catalogs::Catalogs;
use projections::entity::Key;
use projections::fact::Fact;
use projections::fold::{self, Link, Scope, World};
use projections::verdict::Verdict;
use proptest::prelude::*;
use schema::{Catalog, Name, Package};
use serde_json::{Value, json};

use crate::database::{Cut, Foreseen, Rows, Way};
use crate::records::{Message, RAISED, own, record, refused, returned};

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

/// When an event is recorded, in microseconds.
fn recorded_us(seq: u64) -> i64 {
    i64::try_from(seq).expect("small") * 10
}

fn event(seq: u64, event_type: String, subject: &str, data: Option<Value>) -> Record {
    let header = Header {
        seq,
        occurred_us: recorded_us(seq) - 3,
        recorded_us: recorded_us(seq),
        source: "/tests".to_owned(),
        id: format!("e{seq}"),
        event_type,
        subject: subject.to_owned(),
        publisher: "tests".to_owned(),
        ..Header::default()
    };
    record(header, data.map(|data| data.to_string().into_bytes()))
}

/// The record for an act at a position.
fn write(seq: u64, act: &Act, on_their_way: &[Verdict], catalogs: &mut Catalogs) -> Option<Record> {
    // `ghost` is in no catalog.
    let kind = |kind: u8| ["lamp", "room", "ghost"][usize::from(kind)];
    let name = |name: u8| ["a", "b", "c", "d"][usize::from(name)];
    Some(match act {
        Act::Put(of, id, data) => {
            let put = format!("house.{}.put", kind(*of));
            event(seq, put, name(*id), Some(data.clone()))
        }
        Act::Taken(of, id, there) => {
            let taken = format!("house.{}.taken", kind(*of));
            event(
                seq,
                taken,
                name(*id),
                there.then(|| json!({ "room": null })),
            )
        }
        Act::Activate(number) => {
            catalogs.activate(seq, ALL[*number].clone());
            let id = format!("e{seq}");
            let header = own(
                seq,
                recorded_us(seq),
                &id,
                "ledger.catalog.activated",
                "main",
            );
            record(header, Some(b"{}".to_vec()))
        }
        Act::Return(number) => {
            let verdict = on_their_way.get(number % on_their_way.len().max(1))?;
            let message = Message::about(RAISED, verdict.subject(), verdict.data());
            returned(seq, recorded_us(seq), &verdict.violation(), message)
        }
        Act::Quarantined => refused(seq, recorded_us(seq)),
    })
}

/// Where a chain is cut: behind at most so many facts.
pub(crate) fn cut(most: usize) -> impl Strategy<Value = Cut> {
    let cut = (1..most, prop::bool::weighted(0.2), any::<bool>());
    cut.prop_map(|(length, forget, foreseen)| Cut {
        length,
        forget,
        foreseen,
    })
}

/// How much is remembered from batch to batch, in bytes: nothing, some of it, all.
pub(crate) fn most() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![0, 2000, 8000, 64 << 20])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_and_no_memory_makes_a_difference(
        acts in prop::collection::vec(act(), 1..80),
        cuts in prop::collection::vec(cut(12), 1..40),
        most in most(),
    ) {
        let mut catalogs = Catalogs::default();
        let mut living = Rows::default();
        let mut facts: Vec<Fact> = Vec::new();
        for act in &acts {
            let on_their_way = living.on_their_way();
            let seq = living.checkpoint.next;
            let Some(record) = write(seq, act, &on_their_way, &mut catalogs) else { continue };
            facts.push(Fact::read(record).expect("readable"));
            let way = Way { catalogs: &catalogs, scope: &Scope::All, foreseen: Foreseen::Nothing };
            living.fold(&way, World::default(), facts.split_at(facts.len() - 1).1);
        }

        // Links follow from attributes and catalog.
        let catalog = catalogs.at(living.checkpoint.next);
        let derived: BTreeSet<(Key, Link)> = living.entities.iter().flat_map(|(key, entity)| {
            let places = catalog.indexed(&key.kind().parse().expect("a kind"));
            fold::links(places, entity.status.name(), &entity.attributes).into_iter().map(|link| (key.clone(), link))
        }).collect();
        prop_assert_eq!(&living.links, &derived);
        // The history has every event about an entity once, and an entity as many as it says.
        for (key, entity) in &living.entities {
            let lines = living.history.iter().filter(|line| line.key == *key).count();
            prop_assert_eq!(u64::try_from(lines).expect("few"), entity.events);
        }

        let mut rebuilt = Rows::default();
        rebuilt.fold_in(&cuts, most, &facts, |foreseen| Way {
            catalogs: &catalogs,
            scope: &Scope::All,
            foreseen: if foreseen { Foreseen::All } else { Foreseen::Nothing },
        });
        prop_assert_eq!(&rebuilt, &living);

        // One package's rows are those of the whole.
        let house = |key: &Key| key.kind().starts_with("house.");
        let mut package = Rows::default();
        let scope = Scope::Package(Name::new("house").expect("legal"));
        let way = Way { catalogs: &catalogs, scope: &scope, foreseen: Foreseen::All };
        package.fold(&way, World::of_nothing().within(most), &facts);
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

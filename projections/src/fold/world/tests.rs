//! Look-ups against a plain model: whatever is asked when, and whatever was forgotten in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use schema::{Catalog, Indexed, KindName, Name, Package};
use serde_json::{Map, Value, json};

use super::memory::MOST;
use super::*;
use crate::entity::{Status, Times};
use crate::fold::Checkpoint;

const KIND: &str = "house.lamp";

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let text = r#"
kind = "house.lamp"
title = "Lamp"
about = "A lamp."
subject = "Its name."
view = "lamps"
retention = "forever"

[fields.room]
type = "string"
reference = "house.lamp"
about = "Where it hangs."

[fields.friends]
type = "array"
of = { type = "string", reference = "house.lamp" }
about = "Whom it knows."

[events.hung]
about = "It was hung."
creates = true
carries = "all"
"#;
    let name = Name::new("house").expect("legal");
    let files = vec![("lamp.toml".to_owned(), text.to_owned())];
    let house = Package::parse(name, files).expect("the kind loads");
    let ledger = Package::builtin_named("ledger").expect("the built-in package loads");
    Catalog::of(&[ledger, house], json!({})).expect("they compile")
});

/// Places that rules ask for.
fn places() -> &'static [Indexed] {
    static ASKED: LazyLock<Vec<Indexed>> = LazyLock::new(|| {
        let kind: KindName = KIND.parse().expect("a kind");
        let places = CATALOG.indexed(&kind).iter();
        places.map(|place| place.clone().asked()).collect()
    });
    &ASKED
}

#[derive(Debug, Clone)]
enum Act {
    /// An entity says this from here on.
    Put(u8, Option<u8>, Vec<u8>),
    /// It is looked up: by which place, which value; counted or listed.
    Look(usize, u8, bool),
    /// The batch ends; what was known may be forgotten.
    Finish(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let friends = prop::collection::vec(0..3_u8, 0..3);
    prop_oneof![
        5 => (0..5_u8, prop::option::of(0..3_u8), friends).prop_map(|(id, room, friends)| Act::Put(id, room, friends)),
        4 => (0..3_usize, 0..3_u8, any::<bool>()).prop_map(|(place, value, count)| Act::Look(place, value, count)),
        1 => any::<bool>().prop_map(Act::Finish),
    ]
}

fn key(id: u8) -> Key {
    Key::new(KIND, &format!("l{id}"))
}

fn entity(created_seq: u64, attributes: Map<String, Value>) -> Entity {
    Entity {
        status: Status::None,
        attributes,
        created_seq,
        created: Times::default(),
        seq: created_seq,
        changed: Times::default(),
        events: 1,
        redacted_seq: None,
    }
}

/// What a look-up finds among these entities.
fn found(entities: &BTreeMap<Key, Entity>, look: &Look) -> BTreeMap<u64, String> {
    let finds = |(key, entity): (&Key, &Entity)| {
        let one = (entity.created_seq, key.id().to_owned());
        if look.is_all() {
            return Some(one);
        }
        let links = link::links(places(), None, &entity.attributes);
        let found = links
            .iter()
            .any(|link| LookRef::of(key, link) == look.by_ref());
        found.then_some(one)
    };
    entities.iter().filter_map(finds).collect()
}

/// Asks as a driver does: what is not known is read from what the last batch left.
fn load(world: &mut World, stored: &BTreeMap<Key, Entity>, needs: Needs) {
    let needs = world.lacks(needs);
    let look = |look: &Look| (look.clone(), found(stored, look));
    let count = |look: &Look| {
        (
            look.clone(),
            u64::try_from(found(stored, look).len()).expect("few"),
        )
    };
    let entity = |key: &Key| Some((key.clone(), stored.get(key)?.clone()));
    let loaded = Loaded {
        entities: needs.entities.iter().filter_map(entity).collect(),
        looks: needs.looks.iter().map(look).collect(),
        counts: needs.counts.iter().map(count).collect(),
        ..Loaded::default()
    };
    world.supply(needs, loaded, &CATALOG);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn look_ups_find_what_is_there_now(
        acts in prop::collection::vec(act(), 1..60),
        most in prop::sample::select(vec![0, 600, MOST]),
    ) {
        let (mut stored, mut now) = (BTreeMap::new(), BTreeMap::new());
        let mut world = World::of_nothing().within(most);
        for act in acts {
            match act {
                Act::Put(id, room, friends) => {
                    let key = key(id);
                    let needs = Needs { entities: BTreeSet::from([key.clone()]), ..Needs::default() };
                    load(&mut world, &stored, needs);
                    world.take(&key);
                    let names: Vec<String> = friends.iter().map(|id| format!("l{id}")).collect();
                    let mut said = Map::new();
                    said.insert("friends".to_owned(), json!(names));
                    if let Some(room) = room {
                        said.insert("room".to_owned(), json!(format!("l{room}")));
                    }
                    world.put(&key, Some(entity(u64::from(id), said.clone())), places());
                    now.insert(key, entity(u64::from(id), said));
                }
                Act::Look(place, value, count) => {
                    let look = match places().get(place) {
                        Some(place) => Look::new(KIND.into(), place, &format!("l{value}")),
                        None => Look::all(KIND),
                    };
                    let looks = BTreeSet::from([look.clone()]);
                    let there = found(&now, &look);
                    if count {
                        load(&mut world, &stored, Needs { counts: looks, ..Needs::default() });
                        prop_assert_eq!(world.count(&look), u64::try_from(there.len()).ok());
                    } else {
                        load(&mut world, &stored, Needs { looks, ..Needs::default() });
                        let named = |ids: &Ids| -> BTreeMap<u64, String> {
                            ids.iter().map(|(created, key)| (*created, key.id().to_owned())).collect()
                        };
                        prop_assert_eq!(world.look(&look).map(named), Some(there));
                    }
                }
                Act::Finish(forget) => {
                    let mut changes = Changes { checkpoint: Checkpoint::default(), ..Changes::default() };
                    world.finish(&mut changes);
                    for one in changes.entities {
                        prop_assert_eq!(stored.insert(one.key, (*one.entity).clone()).is_none(), one.new);
                    }
                    prop_assert_eq!(&stored, &now);
                    if forget {
                        world = World::default();
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_used_longest_ago_is_let_go_first() {
    let most = 3 * ENTRY;
    let mut world = World::default().within(most);
    let all: Vec<_> = (0..4).map(key).collect();
    for key in &all {
        world.put(key, Some(entity(1, Map::new())), places());
        world.finish(&mut Changes::default());
    }
    let here: Vec<bool> = all
        .iter()
        .map(|key| world.entity(key.by_ref()).is_some())
        .collect();
    assert_eq!(here, [false, false, true, true]);
    assert!(world.weight <= most);
}

#[test]
fn what_was_never_seen_is_not_looked_up() {
    let mut world = World::of_nothing().within(0);
    let (here, gone) = (key(0), key(1));
    let needs = || Needs {
        entities: BTreeSet::from([here.clone(), gone.clone()]),
        looks: places()
            .iter()
            .map(|place| Look::new(KIND.into(), place, "l0"))
            .collect(),
        waiting: BTreeSet::from(["l0".to_owned()]),
        ..Needs::default()
    };
    assert!(world.lacks(needs()).is_empty());
    let said = Map::from_iter([("room".to_owned(), json!("l0"))]);
    world.put(&here, Some(entity(1, said)), places());
    world.finish(&mut Changes::default());
    assert!(world.lacks(needs()).is_empty());

    // What was let go is looked up, and nothing else is.
    for id in 2..5 {
        world.put(&key(id), Some(entity(1, Map::new())), places());
        world.finish(&mut Changes::default());
    }
    let lacks = world.lacks(needs());
    assert_eq!(lacks.entities, BTreeSet::from([here.clone()]));
    assert_eq!(lacks.looks.len(), 1);
    assert!(lacks.waiting.is_empty());
}

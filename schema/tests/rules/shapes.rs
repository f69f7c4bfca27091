//! The shapes `unique`, `reference`, `precedes` and `acyclic`.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::plant::{Plant, rule, said};

#[test]
fn no_two_have_the_same_values() {
    let keys =
        "shape = \"unique\"\nfields = [\"maker\", \"size\"]\namong = 'other.status == \"closed\"'";
    let mut plant = Plant::with(&rule(keys));
    let same = json!({"maker": "a", "size": 3});
    assert!(plant.installed(&same).is_empty());
    assert!(said(&plant.event("v2", "installed", &json!({"maker": "a"}))).is_empty());
    assert!(said(&plant.event("v3", "installed", &json!({"maker": "a", "size": 4}))).is_empty());
    let told = plant.event("v3", "measured", &json!({"size": 3}));
    assert_eq!(said(&told), ["valve.rule error"]);
    assert_eq!(told.raised[0].judged_from, [0, 2, 3]);
    assert_eq!(
        plant
            .event("v3", "measured", &json!({"size": 5}))
            .cleared
            .len(),
        1
    );
    plant.event("v1", "turned", &json!({"to": "open"}));
    assert!(said(&plant.event("v3", "measured", &json!({"size": 3}))).is_empty());
}

#[test]
fn what_is_named_is_there_or_arrives() {
    let keys = "shape = \"reference\"\nfield = \"parts[].name\"\nkind = \"sample.valve\"\non = [\"installed\"]";
    let mut plant = Plant::with(&rule(keys));
    let named = json!({"parts": [{"name": "v2"}, {"name": "v1"}, {"name": "v3"}]});
    assert_eq!(
        plant.installed(&named),
        ["valve.rule error v2", "valve.rule error v3"]
    );
    let arrived = plant.event("v2", "installed", &json!({}));
    assert_eq!(arrived.cleared.len(), 1);
    assert_eq!(arrived.cleared[0].detail_key, "v2");
    assert!(plant.event("v2", "measured", &json!({})).cleared.is_empty());
    let keys = format!("{keys}\nis = 'target.status == \"open\"'");
    let mut plant = Plant::with(&rule(&keys));
    plant.event("v2", "installed", &json!({}));
    assert_eq!(
        plant.installed(&json!({"parts": [{"name": "v2"}]})),
        ["valve.rule error v2"]
    );
    assert_eq!(
        plant
            .event("v2", "turned", &json!({"to": "open"}))
            .cleared
            .len(),
        1
    );
}

/// A test of a valve has to come before it is opened: by its maker's word `made_at`, and by its position.
#[test]
fn one_comes_before_the_other_by_position_and_by_claim() {
    let find = "[rules.find.tests]\nkind = \"sample.valve\"\nwhere = { maker = 'entity.id' }\n";
    let first = format!(
        "shape = \"precedes\"\nfirst = \"tests\"\non = [\"turned\"]\nwhen = 'event.data.to == \"open\"'\n\
        counts = 'other.size > 3'\nother_time = 'other.made_at'\nmissing = {{}}\nafter = {{ id = \"valve.late\", severity = \"warning\" }}\n{find}"
    );
    let find = find
        .replace("tests", "valve")
        .replace("where = { maker = 'entity.id' }", "id = 'entity.maker'");
    let then = format!(
        "part = \"then\"\nshape = \"precedes\"\nthen = \"valve\"\non = [\"installed\"]\ncounts = 'other.status == \"open\"'\n\
        time = 'entity.made_at'\nother_time = 'other.since'\nafter = {{ id = \"valve.late\" }}\n\
        backdated = {{ id = \"valve.backdated\", severity = \"critical\", incident = \"backdated\" }}\n{find}"
    );
    let rules = rule(&first) + &rule(&then);
    let made = |at: &str| json!({"maker": "v1", "size": 9, "made_at": at});
    let (early, late) = ("1970-01-01T00:16:00Z", "1970-01-01T01:00:00Z");
    let opened = |before: Option<&Value>| {
        let mut plant = Plant::with(&rules);
        plant.installed(&json!({}));
        if let Some(test) = before {
            plant.event("t1", "installed", test);
        }
        let told = plant.event("v1", "turned", &json!({"to": "open"}));
        (said(&told), plant)
    };
    assert!(opened(Some(&made(early))).0.is_empty());
    assert_eq!(opened(Some(&made(late))).0, ["valve.late warning"]);
    assert_eq!(
        opened(Some(&json!({"maker": "v1", "size": 2}))).0,
        ["valve.rule error"]
    );
    let (missing, mut plant) = opened(None);
    assert_eq!(missing, ["valve.rule error"]);
    assert_eq!(
        said(&plant.event("t1", "installed", &made(late))),
        ["valve.late error"]
    );
    let told = plant.event("t2", "installed", &made(early));
    assert_eq!(said(&told), ["valve.backdated critical"]);
    assert_eq!(told.opened[0].class, "backdated");
}

#[test]
fn references_lead_nowhere_in_a_circle() {
    let mut plant = Plant::with(&rule("shape = \"acyclic\"\nfield = \"parts[].name\""));
    let on = |names: &[&str]| json!({"parts": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
    assert!(said(&plant.event("v1", "installed", &on(&["v2", "v9"]))).is_empty());
    assert!(said(&plant.event("v2", "installed", &on(&["v3", "v4"]))).is_empty());
    assert!(said(&plant.event("v4", "installed", &on(&[]))).is_empty());
    let told = plant.event("v3", "installed", &on(&["v1"]));
    assert_eq!(said(&told), ["valve.rule error"]);
    assert_eq!(told.raised[0].judged_from, [0, 1, 3]);
    assert_eq!(
        plant.event("v3", "installed", &on(&["v3x"])).cleared.len(),
        1
    );
    assert_eq!(
        said(&plant.event("v5", "installed", &on(&["v5"]))),
        ["valve.rule error"]
    );
}

#[test]
fn what_nobody_names_is_in_no_circle_however_much_it_leads_to() {
    let mut plant = Plant::with(&rule("shape = \"acyclic\"\nfield = \"fed_by\""));
    let mut feed = |id: &str, by: &str| {
        let told = plant.event(id, "installed", &json!({"fed_by": by}));
        said(&told)
    };
    for number in 1..2200 {
        let told = feed(&format!("v{number}"), &format!("v{}", number - 1));
        assert!(told.is_empty(), "v{number}: {told:?}");
    }
    assert!(feed("a", "b").is_empty());
    assert_eq!(feed("b", "a"), ["valve.rule error"]);
    assert_eq!(feed("c", "c"), ["valve.rule error"]);
    // To whom few lead, either; and who leads to few is told by those.
    assert!(feed("v2150", "v2149").is_empty());
    assert!(feed("v1", "v0").is_empty());
}

/// Whether an entity comes back to itself.
fn comes_back(graph: &BTreeMap<u8, Vec<u8>>, start: u8) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![start];
    while let Some(one) = next.pop() {
        for to in graph.get(&one).into_iter().flatten() {
            if *to == start {
                return true;
            }
            if seen.insert(*to) {
                next.push(*to);
            }
        }
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_circle_is_found_where_there_is_one(
        events in prop::collection::vec((0..9_u8, prop::collection::vec(0..9_u8, 0..3)), 1..50),
    ) {
        let mut plant = Plant::with(&rule("shape = \"acyclic\"\nfield = \"drains[]\""));
        let mut graph = BTreeMap::new();
        let mut open = BTreeSet::new();
        for (one, to) in events {
            let name = |one: &u8| format!("v{one}");
            let data = json!({"drains": to.iter().map(name).collect::<Vec<_>>()});
            graph.insert(one, to);
            let told = plant.event(&name(&one), "installed", &data);
            let (was, is) = (open.contains(&one), comes_back(&graph, one));
            let raised = told.raised.iter().filter(|one| one.rule == "valve.rule").count();
            prop_assert_eq!(raised, usize::from(is && !was));
            prop_assert_eq!(told.cleared.len(), usize::from(was && !is));
            if is {
                open.insert(one);
            } else {
                open.remove(&one);
            }
        }
    }
}

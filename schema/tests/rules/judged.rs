//! When a rule is judged, of what, and what comes of its verdicts.

use schema::rule::{Finding, Told};
use schema::{Catalog, Package};
use serde_json::json;

use super::plant::{Plant, rule, said};

#[test]
fn only_the_events_that_it_listens_to_and_only_when() {
    let keys = "shape = \"require\"\non = [\"turned\"]\nwhen = 'event.data.to == \"open\"'\nrequire = 'entity.size > 10'";
    let mut plant = Plant::with(&rule(keys));
    assert!(plant.installed(&json!({"size": 3})).is_empty());
    assert_eq!(
        said(&plant.event("v1", "turned", &json!({"to": "open"}))),
        ["valve.rule error"]
    );
    assert!(said(&plant.event("v1", "turned", &json!({"to": "closed"}))).is_empty());
}

#[test]
fn items_are_judged_each_on_its_own() {
    let keys =
        "shape = \"require\"\neach = 'entity.parts'\nkey = 'item.name'\nrequire = 'item.count < 5'";
    let mut plant = Plant::with(&rule(keys));
    let parts = json!({"parts": [
        {"name": "lid", "count": 1}, {"name": "screw", "count": 8},
        {"name": "screw", "count": 9}, {"count": 7},
    ]});
    assert_eq!(
        plant.installed(&parts),
        [
            "valve.rule error #2",
            "valve.rule error #3",
            "valve.rule error screw"
        ]
    );
}

#[test]
fn others_are_looked_up_as_they_are_after_the_event() {
    let keys = "shape = \"require\"\non = [\"installed\"]\nrequire = 'size(same) == 1 && all <= 2'\n\
                [rules.find.same]\nkind = \"sample.valve\"\nwhere = { maker = 'entity.maker', status = '\"closed\"' }\n\
                [rules.find.all]\nkind = \"sample.valve\"\ncount = true";
    let mut plant = Plant::with(&rule(keys));
    assert!(said(&plant.event("v1", "installed", &json!({"maker": "a"}))).is_empty());
    let judged = plant.event("v2", "installed", &json!({"maker": "a"}));
    assert_eq!(said(&judged), ["valve.rule error"]);
    assert_eq!(judged.raised[0].judged_from, [0, 1]);
    plant.event("v1", "turned", &json!({"to": "open"}));
    plant.event("v2", "turned", &json!({"to": "open"}));
    assert_eq!(
        said(&plant.event("v3", "installed", &json!({"maker": "a"}))),
        ["valve.rule error"]
    );
}

#[test]
fn one_event_judges_all_that_it_has_something_in_common_with() {
    let keys = |latest: &str| {
        format!(
            "shape = \"require\"\non = [\"installed\", \"measured\"]\nwhere = {{ maker = 'entity.maker' }}\n{latest}\n\
             clears = true\nrequire = 'event.data.size == null || event.data.size < 10'"
        )
    };
    let judged = |latest: &str| {
        let mut plant = Plant::with(&rule(&keys(latest)));
        for (id, maker) in [("v1", "a"), ("v2", "a"), ("v3", "b"), ("v4", "a")] {
            plant.event(id, "installed", &json!({"maker": maker}));
        }
        // Who made it is not known: it has nothing in common with any, and is judged itself.
        plant.event("v5", "installed", &json!({}));
        let ids = |found: Vec<&Finding>| -> Vec<String> {
            let mut ids: Vec<String> = found.into_iter().map(|one| one.id.clone()).collect();
            ids.sort();
            ids
        };
        let raised = |told: &Told| ids(told.raised.iter().collect());
        let own = raised(&plant.event("v5", "measured", &json!({"size": 12})));
        let common = raised(&plant.event("v1", "measured", &json!({"size": 12})));
        // Another of them mends all that it is about, its own among them.
        let mended = plant.event("v2", "measured", &json!({"size": 3}));
        (own, common, mended.cleared.len())
    };
    let (one, all) = (vec!["v5".to_owned()], |ids: &[&str]| -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    });
    assert_eq!(judged(""), (one.clone(), all(&["v1", "v2", "v4"]), 3));
    // The last created, and its own whichever it is.
    assert_eq!(judged("latest = 1"), (one, all(&["v1", "v4"]), 1));
}

#[test]
fn a_state_is_mended_and_a_fact_is_not() {
    let keys =
        |clears| format!("clears = {clears}\nshape = \"require\"\nrequire = 'entity.size >= 10'");
    let mut plant = Plant::with(&rule(&keys(true)));
    assert_eq!(plant.installed(&json!({"size": 3})), ["valve.rule error"]);
    // Broken still: nothing new.
    assert!(said(&plant.event("v1", "measured", &json!({"size": 4}))).is_empty());
    let mended = plant.event("v1", "measured", &json!({"size": 30}));
    assert_eq!((mended.cleared.len(), mended.raised.len()), (1, 0));
    assert_eq!(
        said(&plant.event("v1", "measured", &json!({"size": 4}))),
        ["valve.rule error"]
    );
    let mut plant = Plant::with(&rule(&keys(false)));
    plant.installed(&json!({"size": 3}));
    assert_eq!(
        said(&plant.event("v1", "measured", &json!({"size": 4}))),
        ["valve.rule error"]
    );
    assert!(
        plant
            .event("v1", "measured", &json!({"size": 30}))
            .cleared
            .is_empty()
    );
}

#[test]
fn incidents_open_and_are_resolved() {
    let rules = rule(
        "shape = \"require\"\nrequire = 'entity.size >= 10'\n\
         incident = { class = \"narrow\", severity = \"warning\", severity_when = { critical = 'entity.size < 5' } }",
    ) + "[[incidents]]\nclass = \"narrow\"\nabout = \"It is.\"\nwhy = \"So.\"\nmend = \"Do.\"\n\
         [incidents.resolve]\non = [\"measured\"]\nwhen = 'entity.size >= 10'\n";
    let mut plant = Plant::with(&rules);
    let opened = plant.event("v1", "installed", &json!({"size": 7})).opened;
    assert_eq!(
        (opened[0].class.as_str(), opened[0].severity.as_str()),
        ("narrow", "warning")
    );
    // One is open: this is a cause more.
    assert!(
        plant
            .event("v1", "measured", &json!({"size": 3}))
            .opened
            .is_empty()
    );
    let opened = plant.event("v2", "installed", &json!({"size": 3})).opened;
    assert_eq!(opened[0].severity.as_str(), "critical");
    let judged = plant.event("v1", "measured", &json!({"size": 13}));
    assert_eq!(
        (
            judged.resolved[0].class.as_str(),
            judged.resolved[0].id.as_str()
        ),
        ("narrow", "v1")
    );
}

#[test]
fn what_says_it_better_is_said_alone_and_the_worst_once() {
    let other = |severity, part| {
        rule(&format!(
            "part = \"{part}\"\nshape = \"require\"\nrequire = 'entity.size > 10'"
        ))
        .replace(
            "severity = \"error\"",
            &format!("severity = \"{severity}\""),
        )
    };
    let worse =
        rule("instead_of = [\"valve.rule\"]\nshape = \"require\"\nrequire = 'entity.size > 5'")
            .replace("id = \"valve.rule\"", "id = \"valve.worse\"");
    let mut plant = Plant::with(&(other("info", "one") + &other("critical", "two") + &worse));
    assert_eq!(
        plant.installed(&json!({"size": 7})),
        ["valve.rule critical"]
    );
    assert_eq!(
        said(&plant.event("v1", "measured", &json!({"size": 3}))),
        ["valve.worse error"]
    );
}

#[test]
fn a_violation_that_somebody_allowed_is_overridden() {
    let keys = "shape = \"require\"\non = [\"turned\"]\nrequire = 'entity.size > 10'\n\
                override = { by = \"allowed\", when = 'other.size == 1 && other.created_seq > before.seq' }\n\
                [rules.find.allowed]\nkind = \"sample.valve\"\nwhere = { maker = 'entity.id' }";
    let mut plant = Plant::with(&rule(keys));
    plant.installed(&json!({"size": 3}));
    plant.event("o1", "installed", &json!({"maker": "v1", "size": 1}));
    assert_eq!(
        plant.event("v1", "turned", &json!({"to": "open"})).raised[0].overridden_by,
        Some(1)
    );
    // One covers one act.
    assert_eq!(
        plant.event("v1", "turned", &json!({"to": "closed"})).raised[0].overridden_by,
        None
    );
}

#[test]
fn what_is_no_rule_cannot_be_turned_off() {
    let off = |name: &str| {
        let settings = json!({ "rules": { "off": [name] } });
        Catalog::of(
            &Package::builtin().expect("the built-in packages load"),
            settings,
        )
    };
    assert!(off("sod.self_approval").is_ok());
    let wrong = off("sod.self_aproval").expect_err("it is no rule");
    let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("no active package has a rule `sod.self_aproval`"),
        "{said:?}"
    );
    assert!(said[0].contains("write `sod.self_approval`"), "{said:?}");
}

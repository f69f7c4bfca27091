//! Rules judged: one kind with its rules, and what events break.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use schema::rule::{Event, Finding, Told, World};
use schema::{Catalog, Name, Package};
use serde_json::{Map, Value, json};

/// A kind with a field of every sort, and these rules.
fn catalog(rules: &str) -> Catalog {
    let kind = format!(
        r#"
kind = "sample.valve"
title = "Valve"
about = "A valve of the plant."
subject = "Its number."
view = "valves"
retention = "forever"

[fields.size]
type = "integer"
about = "Its width in millimetres."

[fields.weight]
type = "number"
about = "Kilograms."

[fields.made_at]
type = "timestamp"
about = "When it was made."

[fields.maker]
type = "string"
about = "Who made it."

[fields.parts]
type = "array"
of = {{ type = "object", fields = {{ name = {{ type = "string", about = "Its name." }}, count = {{ type = "integer", about = "How many." }} }} }}
about = "What it is made of."
example = []

[fields.labels]
type = "map"
of = {{ type = "string" }}
about = "What is written on it."
example = {{ plant = "north" }}

[fields.odd]
type = "any"
about = "Anything."

[events.installed]
about = "It was put in."
creates = true
to = "closed"
carries = "all"

[events.turned]
about = "It was opened or closed."
to_field = "to"
required = ["to"]

[events.turned.fields.to]
type = "enum"
values = ["open", "closed"]
about = "How it is now."

[events.measured]
about = "It was measured."
carries = ["size"]

[lifecycle]
start = ["closed"]
terminal = []

[lifecycle.states]
closed = "Nothing flows."
open = "It flows."

[[lifecycle.edges]]
from = "closed"
to = "open"

[[lifecycle.edges]]
from = "open"
to = "closed"
{rules}"#
    );
    let sample = Package::parse(
        Name::new("sample").unwrap(),
        vec![("valve.toml".to_owned(), kind)],
    );
    let packages = [Package::builtin_named("ledger").unwrap(), sample.unwrap()];
    Catalog::of(&packages, json!({})).unwrap_or_else(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        unreachable!("{}", found.join("\n"))
    })
}

fn rule(keys: &str) -> String {
    format!(
        "\n[[rules]]\nid = \"valve.rule\"\nseverity = \"error\"\nabout = \"It is so.\"\nwhy = \"It has to \
         be.\"\nmend = \"Make it so.\"\n{keys}\n"
    )
}

/// A ledger of valves, one event a second.
struct Plant {
    catalog: Catalog,
    world: World,
    seq: u64,
}

impl Plant {
    fn with(rules: &str) -> Self {
        Self {
            catalog: catalog(rules),
            world: World::default(),
            seq: 0,
        }
    }

    fn event(&mut self, subject: &str, verb: &str, data: &Value) -> Told {
        self.claimed(subject, verb, data, 0)
    }

    /// An event that claims to have happened so many seconds before it is recorded.
    fn claimed(&mut self, subject: &str, verb: &str, data: &Value, before_s: i64) -> Told {
        let recorded_us = i64::try_from(self.seq).unwrap() * 1_000_000 + 1_000_000_000;
        let context = Map::new();
        let event = Event {
            kind: "sample.valve",
            verb,
            id: "e",
            subject,
            source: "/plant",
            actor: "cleo",
            publisher: "plant",
            context: &context,
            occurred_us: recorded_us - before_s * 1_000_000,
            recorded_us,
            seq: self.seq,
            data,
        };
        self.seq += 1;
        let kind = "sample.valve".parse().unwrap();
        self.world
            .apply(&self.catalog, &kind, &Name::new(verb).unwrap(), event)
    }

    fn installed(&mut self, data: &Value) -> Vec<String> {
        said(&self.event("v1", "installed", data))
    }
}

/// `rule severity key`, `rule.not_judged warning rule: why` of each finding.
fn said(told: &Told) -> Vec<String> {
    let one = |one: &Finding| {
        let key = if one.detail_key.is_empty() {
            String::new()
        } else {
            format!(" {}", one.detail_key)
        };
        let why = one.not_judged.as_ref().map(|why| format!(": {why}"));
        format!(
            "{} {}{key}{}",
            one.rule,
            one.severity,
            why.unwrap_or_default()
        )
    };
    // What the lifecycle says is not what is tested here.
    let judged = told
        .raised
        .iter()
        .filter(|one| one.rule != schema::rule::ILLEGAL);
    judged.map(one).collect()
}

/// What a condition says of a valve: it holds, it is broken, or it cannot be judged.
fn requires(condition: &str, data: &Value) -> String {
    let mut plant = Plant::with(&rule(&format!(
        "shape = \"require\"\nrequire = '''{condition}'''"
    )));
    let said = plant.installed(data);
    match said.as_slice() {
        [] => "holds".to_owned(),
        [one] if one == "valve.rule error" => "broken".to_owned(),
        [one] => one.replace("rule.not_judged warning valve.rule: ", ""),
        _ => said.join(", "),
    }
}

#[test]
fn what_is_there_is_judged_and_what_is_not_is_null() {
    let data = json!({
        "size": 12, "weight": 2.5, "made_at": "2026-08-02T23:00:00+02:00", "maker": "Müller",
        "parts": [{"name": "lid", "count": 1}, {"name": "screw", "count": 8}],
        "labels": {"plant": "north"}, "odd": [1, "two", null]
    });
    for (condition, expected) in [
        (
            "entity.size <= 12 && entity.size == 12.0 && entity.weight > 2",
            "holds",
        ),
        ("entity.size > 12", "broken"),
        ("size(entity.maker) == 6", "holds"),
        (
            "entity.made_at == timestamp('2026-08-02T21:00:00Z')",
            "holds",
        ),
        (
            "entity.made_at - duration('1d12h') < timestamp('2026-08-01T09:00:01Z')",
            "holds",
        ),
        (
            "entity.parts.exists(p, p.name == 'lid') && entity.parts.all(p, p.count > 0)",
            "holds",
        ),
        (
            "entity.parts.filter(p, p.count > 1).map(p, p.name) == ['screw']",
            "holds",
        ),
        (
            "entity.parts[1].count == 8 && entity.labels.plant == 'north'",
            "holds",
        ),
        (
            "entity.labels['city'] == null && !has(entity.labels.city)",
            "holds",
        ),
        ("entity.odd[1] == 'two' && entity.odd[2] == null", "holds"),
        ("entity.odd.exists(x, x == 'two')", "holds"),
        ("before.exists || before.size != null", "broken"),
        (
            "entity.status == 'closed' && entity.created_seq == 0 && entity.since == event.time",
            "holds",
        ),
        (
            "event.verb in ['installed', 'turned'] && event.data.size == entity.size",
            "holds",
        ),
        (
            "event.actor == 'cleo' && event.publisher.matches('^pl')",
            "holds",
        ),
        (
            "semver_compare('api/v1.2.3-beta.1', 'v1.2.3') < 0 && !is_semver('v1.2')",
            "holds",
        ),
        (
            "is_relative_path('a/b') && !is_relative_path('a/../b') && !is_relative_path('/a')",
            "holds",
        ),
        (
            "in_order(['a', 'c'], ['a', 'b', 'c']) && !in_order(['c', 'a'], ['a', 'b', 'c'])",
            "holds",
        ),
        (
            "alias('gitops', 'prod') == 'production' && alias('gitops', 'x') == 'x'",
            "holds",
        ),
        (
            "url_host('https://GitHub.com/a/actions/runs/1') == 'github.com'",
            "holds",
        ),
        ("settings.quarter == duration('92d')", "holds"),
    ] {
        assert_eq!(requires(condition, &data), expected, "{condition}");
    }
    for (condition, expected) in [
        (
            "entity.size == null && entity.parts == null && entity.labels.plant == null",
            "holds",
        ),
        (
            "size(entity.parts) == 0 && entity.parts.all(p, false) && !('x' in entity.labels)",
            "holds",
        ),
        (
            "entity.maker.matches('.*') || entity.maker.startsWith('')",
            "broken",
        ),
        (
            "entity.size <= 60",
            "the condition met a value of type null with which it can do nothing",
        ),
        ("entity.size <= 60 || entity.status == 'closed'", "holds"),
        ("entity.odd == true", "broken"),
    ] {
        assert_eq!(requires(condition, &json!({})), expected, "{condition}");
    }
}

#[test]
fn a_condition_that_would_run_on_is_not_judged() {
    let many: Vec<Value> = (0..400)
        .map(|n| json!({"name": format!("p{n}"), "count": n}))
        .collect();
    let data = json!({ "parts": many });
    let loops = "entity.parts.all(a, entity.parts.all(b, entity.parts.all(c, a.count + b.count + c.count >= 0)))";
    assert_eq!(
        requires(loops, &data),
        "the condition takes more than 200000 steps"
    );
    // An error in what does not decide is none.
    let decided = format!("true || {loops}");
    assert_eq!(requires(&decided, &data), "holds");
}

#[test]
fn a_failure_is_a_verdict_of_its_own_and_judging_goes_on() {
    let rules = rule("shape = \"require\"\nrequire = 'entity.odd + 1 > 0'")
        + &rule("part = \"other\"\nshape = \"require\"\nrequire = 'entity.size > 10'");
    let mut plant = Plant::with(&rules);
    let said = plant.installed(&json!({"odd": "text", "size": 3}));
    let why = "the condition met a value of type number with which it can do nothing";
    assert_eq!(
        said,
        [
            format!("rule.not_judged warning valve.rule: {why}"),
            "valve.rule error".to_owned()
        ]
    );
}

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
fn what_is_due_is_found_by_the_next_event_and_mended_by_what_was_awaited() {
    let keys = "shape = \"deadline\"\ndue = 'entity.status == \"open\" ? entity.since + duration(\"5s\") : null'\n\
                unless = 'entity.size > 100'\nincident = \"left_open\"\ntask = { class = \"close_it\", title = \"Close it.\" }\n\
                emit = { verb = \"measured\", data = { size = 'entity.size + 1' } }";
    let mut plant = Plant::with(&rule(keys));
    plant.installed(&json!({"size": 7}));
    plant.event("v1", "turned", &json!({"to": "open"}));
    for _ in 0..5 {
        assert!(said(&plant.event("v2", "measured", &json!({}))).is_empty());
    }
    let told = plant.event("v2", "measured", &json!({}));
    assert_eq!(said(&told), ["valve.rule error"]);
    assert_eq!(
        (
            told.raised[0].id.as_str(),
            told.raised[0].judged_from.clone()
        ),
        ("v1", vec![1, 7])
    );
    assert_eq!(
        (told.opened[0].class.as_str(), told.tasks[0].class.as_str()),
        ("left_open", "close_it")
    );
    assert_eq!(told.emitted[0].data, json!({"size": 8}));
    assert_eq!(told.emitted[0].event_type, "sample.valve.measured");
    // It fires once, also where another event says the same moment again.
    assert!(plant.event("v1", "measured", &json!({})).cleared.is_empty());
    assert!(said(&plant.event("v2", "measured", &json!({}))).is_empty());
    let told = plant.event("v1", "turned", &json!({"to": "closed"}));
    assert_eq!(told.cleared.len(), 1);
    // What excuses from it when it is due, and what excuses afterwards.
    plant.event("v3", "installed", &json!({"size": 700}));
    plant.event("v3", "turned", &json!({"to": "open"}));
    plant.event("v1", "turned", &json!({"to": "open"}));
    for _ in 0..6 {
        plant.event("v2", "measured", &json!({}));
    }
    let open: Vec<String> = plant.world.open().map(|one| one.id.clone()).collect();
    assert_eq!(open, ["v1"]);
    assert_eq!(
        plant
            .event("v1", "measured", &json!({"size": 101}))
            .cleared
            .len(),
        1
    );
}

#[test]
fn each_item_has_a_deadline_of_its_own() {
    let keys = "shape = \"deadline\"\neach = 'entity.parts'\nkey = 'item.name'\non = [\"installed\"]\n\
                due = 'event.recorded + duration(\"1s\") * item.count'";
    let mut plant = Plant::with(&rule(keys));
    let parts = |parts: &[(&str, i64)]| {
        let parts: Vec<Value> = parts
            .iter()
            .map(|(name, count)| json!({"name": name, "count": count}))
            .collect();
        json!({ "parts": parts })
    };
    plant.installed(&parts(&[("lid", 1), ("screw", 3), ("seal", 2)]));
    assert!(said(&plant.event("v1", "installed", &parts(&[("lid", 1), ("screw", 3)]))).is_empty());
    plant.event("v2", "measured", &json!({}));
    assert_eq!(
        said(&plant.event("v2", "measured", &json!({}))),
        ["valve.rule error lid"]
    );
    plant.event("v2", "measured", &json!({}));
    assert_eq!(
        said(&plant.event("v2", "measured", &json!({}))),
        ["valve.rule error screw"]
    );
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
        Catalog::of(&Package::builtin(), settings)
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

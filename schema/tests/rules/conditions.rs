//! What conditions say of what is there, and what happens where they cannot be judged.

use serde_json::{Value, json};

use super::plant::{Plant, requires, rule};

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

//! The shape `deadline`.

use serde_json::{Value, json};

use super::plant::{Plant, rule, said};

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

/// What a deadline emits is computed within the steps of its rule: one such member fits, two do not.
#[test]
fn what_is_emitted_takes_from_the_steps_of_its_rule() {
    let parts: Vec<Value> = (0..200).map(|n| json!({ "count": n })).collect();
    let loops = "'entity.parts.all(a, entity.parts.all(b, a.count >= 0)) ? 1 : 2'";
    let due = |data: &str| {
        let keys = format!(
            "shape = \"deadline\"\non = [\"installed\"]\nraise = false\ndue = 'event.recorded + duration(\"1s\")'\n\
             emit = {{ verb = \"measured\", data = {{ {data} }} }}"
        );
        let mut plant = Plant::with(&rule(&keys));
        plant.installed(&json!({ "parts": parts }));
        plant.event("v2", "measured", &json!({}));
        let told = plant.event("v2", "measured", &json!({}));
        (said(&told), told.emitted.len())
    };
    assert_eq!(due(&format!("size = {loops}")), (Vec::new(), 1));
    let why = "the condition takes more than 200000 steps";
    assert_eq!(
        due(&format!("size = {loops}, weight = {loops}")),
        (
            vec![format!("rule.not_judged warning valve.rule: {why}")],
            0
        )
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

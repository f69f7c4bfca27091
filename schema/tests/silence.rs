//! Rules that are silenced for a while: what they find is raised and cleared at once, and nobody is woken, until an
//! event is recorded at the moment that was said.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::sync::LazyLock;

use proptest::prelude::*;
use schema::rule::{Event, Told, World};
use schema::{Catalog, KindName, Name, Package};
use serde_json::{Map, Value, json};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap()
});

const RULE: &str = "environment.retired_without_backup";
const KIND: &str = "platform.environment";

/// What came of an event that is recorded at this second.
fn apply(
    world: &mut World,
    seq: u64,
    second: i64,
    event_type: &str,
    subject: &str,
    data: &Value,
) -> Told {
    let (kind, verb) = event_type.rsplit_once('.').unwrap();
    let (kind, verb): (KindName, Name) = (kind.parse().unwrap(), Name::new(verb).unwrap());
    let event = Event {
        kind: &kind.to_string(),
        verb: verb.as_str(),
        id: &seq.to_string(),
        subject,
        source: "//ci.example/runs",
        actor: "cleo@example.org",
        publisher: "ci",
        context: &Map::new(),
        // Long ago by its own word: what counts is when it is recorded.
        occurred_us: 0,
        recorded_us: second * 1_000_000,
        seq,
        data,
    };
    world.apply(&CATALOG, &kind, &verb, event)
}

/// An environment is retired without a backup: one violation of [`RULE`] each time.
fn retire(world: &mut World, seq: u64, second: i64, id: &str) -> Told {
    let data = json!({ "to": "retired" });
    let event_type = "platform.environment.status_changed";
    apply(world, seq, second, event_type, id, &data)
}

fn silence(world: &mut World, seq: u64, second: i64, about: &[&str], until: Option<i64>) {
    let mut data = json!({ "rule": RULE, "reason": "The old ones are cleaned up." });
    for (name, value) in ["kind", "id"].iter().zip(about) {
        data[*name] = json!(value);
    }
    data["until_us"] = until.map_or(Value::Null, |until| json!(until * 1_000_000));
    let subject: Vec<&str> = [RULE].iter().chain(about).copied().collect();
    let told = apply(
        world,
        seq,
        second,
        "ledger.rule.silenced",
        &subject.join("/"),
        &data,
    );
    assert!(told.raised.is_empty(), "{:?}", told.raised);
}

fn silenced_by(told: &Told) -> Option<u64> {
    let mut raised = told.raised.iter().filter(|one| one.rule == RULE);
    let found = raised.next().unwrap().silenced_by;
    assert!(raised.next().is_none(), "raised twice");
    // An incident opens if and only if nobody silenced the rule.
    let opens = told.opened.iter().any(|one| one.rule == RULE);
    assert!(found.is_none() || !opens);
    found
}

#[test]
fn what_is_silenced_is_raised_and_wakes_nobody_until_the_moment() {
    let world = &mut World::default();
    let opened = |told: &Told| told.opened.iter().any(|one| one.rule == RULE);
    let first = retire(world, 0, 10, "old-1");
    assert!(silenced_by(&first).is_none() && opened(&first));
    silence(world, 1, 20, &[], Some(40));
    assert_eq!(silenced_by(&retire(world, 2, 21, "old-2")), Some(1));
    assert_eq!(silenced_by(&retire(world, 3, 39, "old-3")), Some(1));
    let over = retire(world, 4, 40, "old-3");
    assert!(silenced_by(&over).is_none() && opened(&over));
    // Said anew it holds anew, and with a moment that has passed it is over.
    silence(world, 5, 50, &[], None);
    assert_eq!(silenced_by(&retire(world, 6, 1000, "old-4")), Some(5));
    silence(world, 7, 1001, &[], Some(0));
    assert_eq!(silenced_by(&retire(world, 8, 1002, "old-4")), None);
}

#[test]
fn a_silence_may_be_for_a_kind_or_an_entity_alone() {
    let world = &mut World::default();
    silence(world, 0, 1, &[KIND, "old-1"], None);
    assert_eq!(silenced_by(&retire(world, 1, 2, "old-1")), Some(0));
    assert_eq!(silenced_by(&retire(world, 2, 2, "old-2")), None);
    silence(world, 3, 3, &["platform.node_pool"], None);
    assert_eq!(silenced_by(&retire(world, 4, 4, "old-2")), None);
    silence(world, 5, 5, &[KIND], None);
    assert_eq!(silenced_by(&retire(world, 6, 6, "old-3")), Some(5));
}

/// A silence under another name than it says silences nothing, and is told so.
#[test]
fn a_silence_is_named_as_it_says() {
    let world = &mut World::default();
    let data = json!({ "rule": RULE, "kind": KIND, "reason": "r" });
    let told = apply(world, 0, 1, "ledger.rule.silenced", RULE, &data);
    let rules: Vec<&str> = told.raised.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["rule.silenced_misnamed"]);
}

/// What a rule clears is judged on: broken while silenced it is not open, and it is raised when the silence is over.
#[test]
fn what_is_broken_still_when_the_silence_ends_is_raised() {
    let world = &mut World::default();
    let rule = "dashboard.no_drilldown";
    let update = |world: &mut World, seq, second| {
        let data = json!({ "dashboard_uid": "d", "links": [] });
        let told = apply(world, seq, second, "platform.dashboard.updated", "d", &data);
        let mut raised = told.raised.into_iter().filter(|one| one.rule == rule);
        raised.next().map(|one| one.silenced_by)
    };
    let data = json!({ "rule": rule, "reason": "r", "until_us": 5_000_000 });
    apply(world, 0, 1, "ledger.rule.silenced", rule, &data);
    assert_eq!(update(world, 1, 2), Some(Some(0)));
    assert!(!world.open().any(|one| *one.by.id == *rule));
    assert_eq!(update(world, 2, 5), Some(None));
    assert!(world.open().any(|one| *one.by.id == *rule));
    assert_eq!(update(world, 3, 6), None, "it is open");
}

/// A number that is missing is found by the ledger itself; it is silenced like any rule.
#[test]
fn a_publisher_s_gaps_are_silenced() {
    let world = &mut World::default();
    let numbered = |world: &mut World, seq: u64, number: &str| {
        let kind: KindName = KIND.parse().unwrap();
        let verb = Name::new("updated").unwrap();
        let mut context = Map::new();
        context.insert("sequence".to_owned(), json!(number));
        let event = Event {
            kind: KIND,
            verb: "updated",
            id: number,
            subject: "staging",
            source: "//ci.example/runs",
            actor: "",
            publisher: "ci",
            context: &context,
            occurred_us: 0,
            recorded_us: i64::try_from(seq).unwrap(),
            seq,
            data: &json!({}),
        };
        let told = world.apply(&CATALOG, &kind, &verb, event);
        let mut gaps = told
            .raised
            .into_iter()
            .filter(|one| one.rule == "publisher.gap");
        gaps.next().map(|one| one.silenced_by)
    };
    assert_eq!(numbered(world, 0, "1"), None);
    assert_eq!(numbered(world, 1, "3"), Some(None));
    let subject = "publisher.gap/ledger.publisher/ci";
    let data = json!({
        "rule": "publisher.gap", "kind": "ledger.publisher", "id": "ci", "reason": "r", "until_us": 3_000_000,
    });
    apply(world, 2, 2, "ledger.rule.silenced", subject, &data);
    assert_eq!(numbered(world, 3, "5"), Some(Some(2)));
}

/// What says that somebody acts as the ledger is not silenced, and whoever tries is told; taking it back is no fault.
#[test]
fn two_rules_cannot_be_silenced() {
    for rule in schema::rule::silence::NEVER {
        for (until, told) in [(Some(10), true), (None, true), (Some(0), false)] {
            let mut data = json!({ "rule": rule, "reason": "r" });
            data["until_us"] = until.map_or(Value::Null, |until| json!(until));
            let said = apply(
                &mut World::default(),
                0,
                1,
                "ledger.rule.silenced",
                rule,
                &data,
            );
            let rules: Vec<&str> = said.raised.iter().map(|one| one.rule.as_str()).collect();
            let expected: &[&str] = if told { &["rule.not_silenceable"] } else { &[] };
            assert_eq!(rules, expected, "{rule} {until:?}");
        }
    }
}

proptest! {
    /// Whatever is silenced when: each violation is raised all the same, and silenced by the last word of its own
    /// silences, the widest first.
    #[test]
    fn silences_follow_recorded_time_alone(
        acts in prop::collection::vec((0..4_usize, 1..4_i64, 0..3_usize, prop::option::of(0..30_i64)), 1..40),
    ) {
        let mut world = World::default();
        let ids = ["old-1", "old-2", "old-3"];
        // By what it is for: the position and until when.
        let mut model: [Option<(u64, Option<i64>)>; 5] = [None; 5];
        let mut second = 0;
        for (seq, (what, passes, which, until)) in (0_u64..).zip(acts) {
            second += passes;
            let id = ids.get(which).copied().unwrap();
            match what {
                0 => {
                    silence(&mut world, seq, second, &[], until);
                    model[0] = Some((seq, until));
                }
                1 => {
                    silence(&mut world, seq, second, &[KIND, id], until);
                    *model.get_mut(2 + which).unwrap() = Some((seq, until));
                }
                _ => {
                    let told = retire(&mut world, seq, second, id);
                    let holds = |at: usize| {
                        let one = model.get(at).copied().flatten();
                        one.filter(|(_, until)| until.is_none_or(|until| second < until))
                    };
                    let expected = holds(0).or(holds(1)).or(holds(2 + which)).map(|(seq, _)| seq);
                    prop_assert_eq!(silenced_by(&told), expected);
                }
            }
        }
    }
}

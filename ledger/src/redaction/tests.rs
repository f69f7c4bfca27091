//! Coverage against a plain model: position by position, event by event.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SIZE: u64 = 40;

/// What happens at a position.
#[derive(Debug, Clone)]
enum Act {
    Plain(u8),
    Place(u8, Option<u8>, Option<u64>),
    Release(u8),
    Apply(Vec<(u64, u64)>),
    Cause(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let ranges = prop::collection::vec((0..SIZE, 0..SIZE), 1..4);
    prop_oneof![
        6 => (0..3_u8).prop_map(Act::Plain),
        1 => (0..2_u8, prop::option::of(0..3_u8), prop::option::of(0..SIZE))
            .prop_map(|(hold, kind, from)| Act::Place(hold, kind, from)),
        1 => (0..2_u8).prop_map(Act::Release),
        2 => ranges.prop_map(Act::Apply),
        1 => (0..SIZE).prop_map(Act::Cause),
    ]
}

fn header(seq: u64, act: &Act) -> (Header, String) {
    let (event_type, subject, data) = match act {
        Act::Plain(kind) => (format!("kind.k{kind}.seen"), "a".to_owned(), json!({})),
        Act::Place(hold, kind, from) => {
            // The second hold is of an incident's causes.
            let mut scope = if *hold == 1 {
                json!({ "incident": "i" })
            } else {
                json!({})
            };
            if let (Some(kind), Some(members)) = (kind, scope.as_object_mut()) {
                members.insert("kind".to_owned(), json!(format!("kind.k{kind}")));
            }
            if let (Some(from), Some(members)) = (from, scope.as_object_mut()) {
                members.insert("from_us".to_owned(), json!(from));
            }
            let data = json!({ "hold": hold.to_string(), "scope": scope, "reason": "why" });
            ("ledger.hold.placed".to_owned(), hold.to_string(), data)
        }
        Act::Release(hold) => {
            let data = json!({ "hold": hold.to_string() });
            ("ledger.hold.released".to_owned(), hold.to_string(), data)
        }
        Act::Apply(ranges) => {
            let data = json!({ "class": "365d", "ranges": ranges });
            (
                "ledger.retention.applied".to_owned(),
                "365d".to_owned(),
                data,
            )
        }
        Act::Cause(cause) => {
            let data = json!({ "incident": "i", "cause_seq": cause });
            (
                "ledger.incident.cause_added".to_owned(),
                "i".to_owned(),
                data,
            )
        }
    };
    let header = Header {
        seq,
        recorded_us: i64::try_from(seq).unwrap_or_default(),
        event_type,
        subject,
        publisher: "ledger".to_owned(),
        ..Header::default()
    };
    (header, data.to_string())
}

/// The first event that takes a position's data, and whether one was forbidden to.
fn model(acts: &[Act], seq: u64) -> (Option<u64>, bool) {
    let place = usize::try_from(seq).unwrap_or_default();
    let Some(Act::Plain(kind)) = acts.get(place) else {
        return (None, false);
    };
    let mut forbidden = false;
    for (by, act) in (0_u64..).zip(acts) {
        let Act::Apply(ranges) = act else { continue };
        if seq >= by || !ranges.iter().any(|(from, to)| (*from..=*to).contains(&seq)) {
            continue;
        }
        let before = acts
            .get(..usize::try_from(by).unwrap_or_default())
            .unwrap_or_default();
        let mut open: BTreeSet<(u8, Option<u8>, Option<u64>)> = BTreeSet::new();
        for act in before {
            match act {
                Act::Place(hold, kind, from) => {
                    open.insert((*hold, *kind, *from));
                }
                Act::Release(hold) => open.retain(|one| one.0 != *hold),
                _ => {}
            }
        }
        let caused = before
            .iter()
            .any(|act| matches!(act, Act::Cause(cause) if *cause == seq));
        let held = open.iter().any(|(hold, of, from)| {
            of.is_none_or(|of| of == *kind)
                && from.is_none_or(|from| from <= seq)
                && (*hold != 1 || caused)
        });
        if !held {
            return (Some(by), forbidden);
        }
        forbidden = true;
    }
    (None, forbidden)
}

proptest! {
    #[test]
    fn what_the_chain_says_is_what_a_plain_model_says(acts in prop::collection::vec(act(), 1..40)) {
        let mut coverage = Coverage::default();
        let mut spots = Vec::new();
        for (seq, act) in (0_u64..).zip(&acts) {
            let (header, data) = header(seq, act);
            coverage.read(&header, data.as_bytes());
            spots.push(header);
        }
        for header in &spots {
            let said = coverage.of(&Spot::from(header));
            let expected = match model(&acts, header.seq) {
                (Some(by), _) => (Some(by), false),
                (None, forbidden) => (None, forbidden),
            };
            let came = match said {
                Word::Covered(applied) => (Some(applied.by), false),
                Word::Held(..) => (None, true),
                Word::Kept => (None, false),
            };
            prop_assert_eq!(came, expected, "position {}", header.seq);
            if came.0.is_some() {
                prop_assert!(coverage.touches(header.seq, header.seq));
            }
        }
    }

    #[test]
    fn ranges_are_sets(a in sets(), b in sets()) {
        let set = |ranges: &[(u64, u64)]| -> BTreeSet<u64> {
            ranges.iter().flat_map(|(from, to)| *from..=*to).collect()
        };
        let (one, two) = (joined(a.iter().copied()), joined(b.iter().copied()));
        prop_assert_eq!(set(&one), set(&a));
        let left = without(&one, &two);
        let expected: BTreeSet<u64> = set(&one).difference(&set(&two)).copied().collect();
        prop_assert_eq!(set(&left), expected.clone());
        prop_assert_eq!(count(&left), u64::try_from(expected.len()).unwrap_or_default());
        for seq in 0..SIZE {
            prop_assert_eq!(has(&one, seq), set(&one).contains(&seq));
        }
    }
}

fn sets() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let range = (0..SIZE, 0..SIZE).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop::collection::vec(range, 0..6)
}

#[test]
fn what_explains_the_rest_is_never_covered() {
    let mut coverage = Coverage::default();
    let (applied, data) = header(30, &Act::Apply(vec![(0, 29)]));
    coverage.read(&applied, data.as_bytes());
    let word = |event_type: &str| coverage.by(&Spot::new(7, event_type, "x", 7)).is_some();
    assert!(word("cluster.node.registered"));
    assert!(word("ledger.beat.ticked") && word("ledger.event.quarantined"));
    assert!(!word("ledger.hold.placed") && !word("ledger.catalog.activated.v1"));
    assert!(!word("ledger.violation.raised"));
}

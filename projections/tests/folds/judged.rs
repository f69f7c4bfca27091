//! The rules of the built-in kinds, folded: whatever happens and however the chain is cut, the same is raised and cleared
//! as by the plain model in memory.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::sync::{Arc, LazyLock};

use ledger::{Header, Record};
use projections::catalogs::Catalogs;
use projections::fact::Fact;
use projections::fold::{Scope, World};
use projections::verdict::{Cleared, How, Verdict};
use proptest::prelude::*;
use schema::sample::Sampler;
use schema::{Catalog, Name, Package};
use serde_json::{Map, Value, json};

use crate::came::Came;
use crate::cuts::{cut, most};
use crate::database::{Foreseen, Rows, Way, activated};
use crate::records::{CLEARED, Message, record, refused, returned};

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let compiled = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({ "publisher": { "silent_after": "2d" } }),
    );
    Arc::new(compiled.expect("the built-in packages fit together"))
});

static CATALOGS: LazyLock<Catalogs> = LazyLock::new(|| activated(CATALOG.clone()));

fn way(foreseen: bool) -> Way<'static> {
    Way {
        catalogs: &CATALOGS,
        scope: &Scope::All,
        foreseen: if foreseen {
            Foreseen::Told
        } else {
            Foreseen::Nothing
        },
    }
}

/// What happens to an event before it is sent.
#[derive(Debug, Clone)]
enum Mutation {
    Nothing,
    /// The member of that number is missing.
    Without(usize),
    /// That member has the value of an event so many before.
    Mixed(usize, usize),
    /// It is about the entity of an event so many before.
    About(usize),
    /// An event so many before is said again.
    Again(usize),
}

#[derive(Debug, Clone)]
enum Act {
    Happens(Mutation, u8),
    /// The message of that number, of those on their way, comes back.
    Return(usize),
    /// Somebody acknowledges the incident of that number, or resolves it.
    Decided(usize, bool),
    /// The rule of the verdict of that number is silenced, about its entity alone or about all, for so many minutes.
    Silence(usize, bool, u32),
    /// Somebody closes the task of that number.
    Closed(usize),
    /// The first publisher's next number is so much higher than it would be, or lower.
    Skips(i8),
    /// A message is refused: an event about no entity.
    Refused,
    /// So many minutes pass without anything.
    Pause(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let mutation = prop_oneof![
        6 => Just(Mutation::Nothing),
        1 => (0..12_usize).prop_map(Mutation::Without),
        2 => (0..12_usize, 1..20_usize).prop_map(|(member, back)| Mutation::Mixed(member, back)),
        1 => (1..20_usize).prop_map(Mutation::About),
        3 => (1..20_usize).prop_map(Mutation::Again),
    ];
    prop_oneof![
        5 => (mutation, 0..3_u8).prop_map(|(mutation, who)| Act::Happens(mutation, who)),
        1 => (0..8_usize).prop_map(Act::Return),
        1 => (0..8_usize, any::<bool>()).prop_map(|(number, ends)| Act::Decided(number, ends)),
        1 => (0..8_usize).prop_map(Act::Closed),
        1 => (-3..20_i8).prop_map(Act::Skips),
        1 => Just(Act::Refused),
        1 => (0..20_usize, any::<bool>(), 0..60_u32)
            .prop_map(|(number, alone, minutes)| Act::Silence(number, alone, minutes)),
        2 => prop_oneof![1..300_u32, 300..200_000_u32].prop_map(Act::Pause),
    ]
}

/// An event of the sample, perhaps mutated.
#[derive(Debug, Clone)]
struct Said {
    event_type: String,
    subject: String,
    data: Value,
}

fn mutate(new: Said, mutation: &Mutation, before: &[Said]) -> Said {
    let back = |many: usize| before.len().checked_sub(many).map(|at| &before[at]);
    let mut said = new;
    let name = |said: &Said, member: usize| {
        let names = said.data.as_object().into_iter().flat_map(Map::keys);
        names.cycle().nth(member).cloned()
    };
    match mutation {
        Mutation::Nothing => {}
        Mutation::Without(member) => {
            if let (Some(name), Some(data)) = (name(&said, *member), said.data.as_object_mut()) {
                data.remove(&name);
            }
        }
        Mutation::Mixed(member, many) => {
            if let Some(other) = back(*many)
                && let Some(name) = name(other, *member)
            {
                said.data[&name] = other.data[&name].clone();
            }
        }
        Mutation::About(many) => {
            if let Some(other) = back(*many) {
                said.subject.clone_from(&other.subject);
            }
        }
        Mutation::Again(many) => {
            if let Some(other) = back(*many) {
                said = other.clone();
            }
        }
    }
    said
}

const MINUTE_US: i64 = 60_000_000;

fn time(minute: u32) -> i64 {
    1_785_704_400_000_000 + i64::from(minute) * MINUTE_US
}

fn happened(seq: u64, now_us: i64, who: u8, number: Option<i64>, said: &Said) -> Record {
    let context = number.map(|number| format!(r#"{{"sequence":"{number}"}}"#));
    let header = Header {
        context: context.unwrap_or_default(),
        seq,
        occurred_us: now_us - i64::from(who) * 90_000_000,
        recorded_us: now_us,
        source: "/tests".to_owned(),
        id: format!("e{seq}"),
        event_type: said.event_type.clone(),
        subject: said.subject.clone(),
        actor: format!("person-{who}"),
        publisher: format!("tool-{who}"),
        ..Header::default()
    };
    record(header, Some(said.data.to_string().into_bytes()))
}

const PACKAGES: [&str; 5] = ["", "cluster", "delivery", "platform", "release"];

/// The rule of a verdict is silenced until then.
fn silence(verdict: &Verdict, alone: bool, until_us: i64) -> Said {
    let Verdict { rule, kind, id, .. } = verdict;
    let mut data = json!({ "rule": rule, "reason": "r", "until_us": until_us });
    let mut subject = rule.clone();
    if alone {
        data["kind"] = json!(kind);
        data["id"] = json!(id);
        subject = format!("{rule}/{kind}/{id}");
    }
    Said {
        event_type: "ledger.rule.silenced".to_owned(),
        subject,
        data,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fold_judges_as_the_model_does_in_any_cut(
        seed in any::<u64>(),
        package in 0..PACKAGES.len(),
        acts in prop::collection::vec(act(), 1..120),
        cuts in prop::collection::vec(cut(30), 1..20),
        most in most(),
    ) {
        let only: Vec<Name> = Name::new(PACKAGES[package]).into_iter().collect();
        let mut sampler = Sampler::new(&CATALOG, &only, seed).expect("there are kinds").unruly(1000);
        let (mut model, mut expected) = (schema::rule::World::default(), Came::default());
        let mut living = Rows::after_activation();
        let (mut said, mut facts): (Vec<Said>, Vec<Fact>) = (Vec::new(), Vec::new());
        let mut minute = 0;
        let mut number = 0;
        for act in &acts {
            let seq = living.checkpoint.next;
            minute += 1;
            let now = time(minute);
            let mut decided = None;
            let record = match act {
                Act::Happens(mutation, who) => {
                    let new = sampler.next(now);
                    let new = Said { event_type: new.event_type, subject: new.subject, data: new.data };
                    let new = mutate(new, mutation, &said);
                    said.push(new.clone());
                    let said = (*who == 0).then(|| {
                        number += 1;
                        number
                    });
                    happened(seq, now, *who, said, &new)
                }
                Act::Return(number) => {
                    let many = living.outbox.len().max(1);
                    let Some((id, message)) = living.outbox.iter().nth(number % many) else { continue };
                    returned(seq, now, id, message.clone())
                }
                Act::Decided(number, ends) => {
                    let many = living.incidents.len().max(1);
                    let Some(one) = living.incidents.values().nth(number % many).cloned() else { continue };
                    decided = ends.then(|| one.clone());
                    let verb = if *ends { "resolved" } else { "acknowledged" };
                    happened(seq, now, 1, None, &Said {
                        event_type: format!("ledger.incident.{verb}"),
                        subject: one.incident.clone(),
                        data: json!({ "incident": one.incident }),
                    })
                }
                Act::Closed(which) => {
                    let tasks = living.entities.keys().filter(|key| key.kind() == "ledger.task");
                    let tasks: Vec<String> = tasks.map(|key| key.id().to_owned()).collect();
                    let Some(task) = tasks.get(which % tasks.len().max(1)) else { continue };
                    happened(seq, now, 1, None, &Said {
                        event_type: "ledger.task.closed".to_owned(),
                        subject: task.clone(),
                        data: json!({ "task": task }),
                    })
                }
                Act::Skips(by) => {
                    number = (number + i64::from(*by)).max(0);
                    continue;
                }
                Act::Refused => refused(seq, now),
                Act::Silence(number, alone, minutes) => {
                    let many = living.verdicts.len().max(1);
                    let Some(known) = living.verdicts.values().nth(number % many) else { continue };
                    happened(seq, now, 0, None, &silence(&known.verdict, *alone, time(minute + minutes)))
                }
                Act::Pause(minutes) => {
                    minute += minutes;
                    continue;
                }
            };
            let fact = Fact::read(record).expect("readable");
            expected.of_model(&CATALOG, &mut model, &fact);
            if let Some(incident) = decided {
                expected.ended(&mut model, &incident, seq);
            }
            living.fold(&way(false), World::default(), std::slice::from_ref(&fact));
            facts.push(fact);
        }
        let came = Came::of_fold(&living);
        prop_assert_eq!(came.without(&expected), expected.without(&came));
        prop_assert_eq!(living.unexpected, 0);

        let mut rebuilt = Rows::after_activation();
        rebuilt.fold_in(&cuts, most, &facts, way);
        // What came back in the batch that derived it was never sent. What is on its way stands in the outbox.
        prop_assert!(rebuilt.sent.is_subset(&living.sent));
        rebuilt.sent.clone_from(&living.sent);
        prop_assert_eq!(rebuilt, living);
    }
}

/// An environment, and nothing wrong with it but what it lacks.
fn story() -> Vec<Said> {
    let said = |event_type: &str, subject: &str, data: Value| Said {
        event_type: event_type.to_owned(),
        subject: subject.to_owned(),
        data,
    };
    vec![said(
        "platform.environment.created",
        "staging",
        json!({ "name": "staging" }),
    )]
}

#[test]
fn a_forged_clearing_is_a_verdict() {
    let mut rows = Rows::after_activation();
    let facts: Vec<Fact> = story()
        .iter()
        .map(|said| happened(1, time(1), 0, None, said))
        .chain([{
            let forged = Cleared {
                violation: "a".repeat(64),
                by_seq: 1,
                how: How::Mended,
            };
            let about = "platform.environment/staging".to_owned();
            let message = Message::about(CLEARED, about, forged.data());
            returned(2, time(2), &forged.id(), message)
        }])
        .map(|record| Fact::read(record).expect("readable"))
        .collect();
    rows.fold(&way(true), World::default(), &facts);
    let rules: Vec<&Verdict> = rows.verdicts.values().map(|one| &one.verdict).collect();
    let unexpected = rules.iter().find(|one| one.rule == "verdict.unexpected");
    assert_eq!(unexpected.map(|one| one.cause_seq), Some(2), "{rules:?}");
    assert_eq!(rows.unexpected, 1);
}

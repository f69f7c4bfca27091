//! The fold against a plain model, in any cut of the chain into batches.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ledger::{Header, Record};
use projections::catalogs::Catalogs;
use projections::entity::{Entity, Status};
use projections::fact::Fact;
use projections::fold::{Checkpoint, Fold, Scope, World};
use projections::verdict::{self, Verdict};
use proptest::prelude::*;
use schema::{Catalog, Name, Package};
use serde_json::{Map, Value, json};

use crate::cuts::cut;
use crate::database::{Foreseen, Rows, Way, activated, main_ledger};
use crate::records::{self, Message, RAISED, record};

const KIND: &str = "house.lamp";

static CATALOGS: LazyLock<Catalogs> = LazyLock::new(compile);

/// Each step asks for what it needs.
fn way() -> Way<'static> {
    Way {
        catalogs: &CATALOGS,
        scope: &Scope::All,
        foreseen: Foreseen::Nothing,
    }
}

fn compile() -> Catalogs {
    let text = include_str!("../kinds/lamp.toml").to_owned();
    let name = Name::new("house").expect("legal");
    let house = Package::parse(name, vec![("lamp.toml".to_owned(), text)]).expect("the kind loads");
    let ledger = Package::builtin_named("ledger").expect("the built-in package loads");
    let catalog = Catalog::of(&[ledger, house], json!({})).expect("they compile");
    activated(Arc::new(catalog))
}

/// What happens next in a random chain.
#[derive(Debug, Clone)]
enum Act {
    Mount(u8, Option<&'static str>),
    Paint(u8, Option<&'static str>),
    Switch(u8, &'static str, &'static str),
    /// Our own verdict number `n` (of those on their way) comes back.
    Return(usize),
    /// The same with another severity.
    Soften(usize),
    /// Somebody makes one up.
    Forge(u8),
    /// A lamp's switch whose data was deleted.
    Deleted(u8),
}

fn act() -> impl Strategy<Value = Act> {
    let status = || prop::sample::select(vec!["off", "on", "broken"]);
    let color = || prop::option::of(prop::sample::select(vec!["red", "blue"]));
    prop_oneof![
        3 => (0..4_u8, color()).prop_map(|(id, color)| Act::Mount(id, color)),
        2 => (0..4_u8, color()).prop_map(|(id, color)| Act::Paint(id, color)),
        6 => (0..4_u8, status(), status()).prop_map(|(id, from, to)| Act::Switch(id, from, to)),
        4 => (0..8_usize).prop_map(Act::Return),
        1 => (0..8_usize).prop_map(Act::Soften),
        1 => (0..4_u8).prop_map(Act::Forge),
        1 => (0..4_u8).prop_map(Act::Deleted),
    ]
}

/// The plain model: one lamp, by hand. It knows the table above and nothing of the fold.
#[derive(Debug, Clone, Default)]
struct Lamp {
    exists: bool,
    status: Option<&'static str>,
    unknown: bool,
    color: Option<&'static str>,
    hidden: bool,
}

#[derive(Debug, Default)]
struct Model {
    lamps: BTreeMap<String, Lamp>,
    /// Rule and cause of every verdict, and whether it is in the chain.
    verdicts: BTreeMap<(u64, String), bool>,
    legal: Vec<Option<bool>>,
    on_their_way: Vec<Verdict>,
}

fn event(seq: u64, verb: &str, id: &str, data: Option<Value>) -> Record {
    let header = Header {
        seq,
        occurred_us: i64::try_from(seq).expect("small") * 7,
        recorded_us: i64::try_from(seq).expect("small") * 10,
        source: "/tests".to_owned(),
        id: format!("e{seq}"),
        event_type: format!("{KIND}.{verb}"),
        subject: id.to_owned(),
        publisher: "tests".to_owned(),
        ..Header::default()
    };
    record(header, data.map(|data| data.to_string().into_bytes()))
}

fn returned(seq: u64, verdict: &Verdict, id: &str) -> Record {
    let recorded_us = i64::try_from(seq).expect("small") * 10;
    let message = Message::about(RAISED, verdict.subject(), verdict.data());
    records::returned(seq, recorded_us, id, message)
}

impl Model {
    fn judge(&mut self, seq: u64, rule: &str) {
        self.verdicts.insert((seq, rule.to_owned()), false);
    }

    fn lamp(&mut self, id: u8) -> &mut Lamp {
        self.lamps.entry(format!("l{id}")).or_default()
    }

    /// Applies an act and gives the record for it. Verdicts on their way are those of the fold itself: the
    /// model knows only their rule and cause.
    fn next(&mut self, seq: u64, act: &Act) -> Option<Record> {
        match act {
            Act::Mount(id, color) => {
                let lamp = self.lamp(*id);
                let known = !lamp.unknown;
                // On a lamp that is on, mounting takes an edge that is there.
                let legal = matches!(lamp.status, None | Some("on"));
                (lamp.exists, lamp.unknown, lamp.status) = (true, false, Some("off"));
                lamp.color = color.or(lamp.color);
                self.verdict_if(seq, known && !legal, verdict::ILLEGAL);
                self.legal.push(known.then_some(legal));
                let data = color.map_or_else(|| json!({}), |color| json!({ "color": color }));
                Some(event(seq, "mounted", &format!("l{id}"), Some(data)))
            }
            Act::Paint(id, color) => {
                let lamp = self.lamp(*id);
                let known = !lamp.unknown;
                let legal = lamp.status.is_some_and(|status| status != "broken");
                lamp.exists = true;
                lamp.color = *color;
                self.verdict_if(seq, known && !legal, verdict::ILLEGAL);
                self.legal.push(known.then_some(legal));
                Some(event(
                    seq,
                    "painted",
                    &format!("l{id}"),
                    Some(json!({ "color": color })),
                ))
            }
            Act::Switch(id, from, to) => {
                let (from, to) = (*from, *to);
                let lamp = self.lamp(*id);
                let (known, existed, status) = (!lamp.unknown, lamp.exists, lamp.status);
                let legal = matches!(
                    (status, to),
                    (Some("off"), "on") | (Some("on"), "off" | "broken")
                );
                (lamp.exists, lamp.unknown, lamp.status) = (true, false, Some(to));
                self.verdict_if(seq, known && !legal, verdict::ILLEGAL);
                self.verdict_if(
                    seq,
                    known && existed && status != Some(from),
                    verdict::FROM_MISMATCH,
                );
                self.legal.push(known.then_some(legal));
                let data = json!({ "from": from, "to": to });
                Some(event(seq, "switched", &format!("l{id}"), Some(data)))
            }
            Act::Deleted(id) => {
                let lamp = self.lamp(*id);
                *lamp = Lamp {
                    exists: true,
                    unknown: true,
                    hidden: true,
                    status: None,
                    color: lamp.color,
                };
                self.legal.push(None);
                Some(event(seq, "switched", &format!("l{id}"), None))
            }
            Act::Return(n) => {
                let verdict = self.take(*n)?;
                self.verdicts
                    .insert((verdict.cause_seq, verdict.rule.clone()), true);
                self.legal.push(Some(true));
                let id = verdict.violation();
                Some(returned(seq, &verdict, &id))
            }
            Act::Soften(n) => {
                let mut verdict = self.take(*n)?;
                self.verdicts
                    .insert((verdict.cause_seq, verdict.rule.clone()), true);
                self.verdict_if(
                    seq,
                    verdict.rule != verdict::UNEXPECTED,
                    verdict::UNEXPECTED,
                );
                self.legal.push(Some(true));
                let id = verdict.violation();
                "info".clone_into(&mut verdict.severity);
                Some(returned(seq, &verdict, &id))
            }
            Act::Forge(id) => {
                let verdict = Verdict {
                    rule: verdict::ILLEGAL.to_owned(),
                    severity: "error".to_owned(),
                    kind: KIND.to_owned(),
                    id: format!("l{id}x"),
                    cause_seq: seq.checked_sub(1)?,
                    judged_from: vec![seq - 1],
                    catalog: String::new(),
                    detail_key: String::new(),
                };
                self.verdict_if(seq, true, verdict::UNEXPECTED);
                self.legal.push(Some(true));
                let id = verdict.violation();
                Some(returned(seq, &verdict, &id))
            }
        }
    }

    fn verdict_if(&mut self, seq: u64, broken: bool, rule: &str) {
        if broken {
            self.judge(seq, rule);
        }
    }

    fn take(&mut self, n: usize) -> Option<Verdict> {
        let many = self.on_their_way.len();
        (many > 0).then(|| self.on_their_way.remove(n % many))
    }
}

fn check_lamp(lamp: &Lamp, entity: &Entity) {
    match (&entity.status, lamp.status) {
        (Status::Is { name, .. }, Some(status)) => assert_eq!(name, status),
        (Status::Unknown { .. }, None) => assert!(lamp.unknown),
        (Status::None, None) => assert!(!lamp.unknown),
        (found, wanted) => unreachable!("{found:?} instead of {wanted:?}"),
    }
    let mut attributes = Map::new();
    if let Some(color) = lamp.color {
        attributes.insert("color".to_owned(), Value::from(color));
    }
    assert_eq!(entity.attributes, attributes);
    assert_eq!(entity.redacted_seq.is_some(), lamp.hidden);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_cut_gives_the_rows_of_the_model(
        acts in prop::collection::vec(act(), 1..60),
        cuts in prop::collection::vec(cut(9), 1..60),
        most in prop::sample::select(vec![0, 1 << 20]),
    ) {
        let mut model = Model::default();
        let mut one_by_one = Rows::after_activation();
        let mut facts = Vec::new();
        for act in acts {
            model.on_their_way = one_by_one.on_their_way();
            let seq = one_by_one.checkpoint.next;
            let Some(record) = model.next(seq, &act) else { continue };
            let fact = Fact::read(record).expect("readable");
            one_by_one.fold(&way(), World::default(), std::slice::from_ref(&fact));
            facts.push(fact);
        }

        for (key, entity) in &one_by_one.entities {
            check_lamp(&model.lamps[key.id()], entity);
        }
        prop_assert_eq!(one_by_one.entities.len(), model.lamps.len());
        let legal: Vec<Option<bool>> = one_by_one.history.iter().map(|line| line.entry.legal).collect();
        prop_assert_eq!(legal, model.legal);
        let verdicts: BTreeMap<(u64, String), bool> = one_by_one.verdicts.values()
            .map(|known| ((known.verdict.cause_seq, known.verdict.rule.clone()), known.seq.is_some()))
            .collect();
        prop_assert_eq!(verdicts, model.verdicts);

        let mut in_batches = Rows::after_activation();
        in_batches.fold_in(&cuts, most, &facts, |_| way());
        prop_assert_eq!(in_batches, one_by_one);
    }
}

#[test]
fn a_verdict_whose_facts_were_deleted_is_taken_as_it_came() {
    let mut rows = Rows::after_activation();
    let broken = Verdict {
        rule: verdict::ILLEGAL.to_owned(),
        severity: "error".to_owned(),
        kind: KIND.to_owned(),
        id: "hall".to_owned(),
        cause_seq: 1,
        judged_from: vec![1],
        catalog: "c".repeat(64),
        detail_key: String::new(),
    };
    let facts: Vec<Fact> = [
        event(1, "switched", "hall", None),
        returned(2, &broken, &broken.violation()),
        returned(3, &broken, "somebody-else"),
    ]
    .into_iter()
    .map(|record| Fact::read(record).expect("readable"))
    .collect();
    rows.fold(&way(), World::default(), &facts);
    let known = &rows.verdicts[&broken.violation()];
    assert!(!known.judged && known.seq == Some(2));
    assert_eq!(
        rows.outbox.len(),
        1,
        "the second claims an id that is not its own"
    );
    let on_their_way = rows.on_their_way();
    let rules: Vec<&str> = on_their_way.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, [verdict::UNEXPECTED]);
}

#[test]
fn a_fold_refuses_a_position_out_of_order() {
    let fold = Fold::begin(
        &main_ledger(),
        &CATALOGS,
        &Scope::All,
        Checkpoint::default(),
        World::default(),
    );
    let fact = Fact::read(event(1, "painted", "hall", Some(json!({})))).expect("readable");
    assert!(fold.step(&fact).is_err());
}

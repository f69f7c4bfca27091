//! The sampler's feed, folded: all kinds are in it, and few of its events break a rule.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a test fails by panicking, and says what it measured"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::sync::Arc;

use ledger::Header;
use projections::fact::Fact;
use projections::fold::{Changes, Scope, World};
use projections::verdict::Verdict;
use schema::sample::{Sample, Sampler};
use schema::{Catalog, Package};
use serde_json::json;

use crate::database::{Foreseen, Rows, Way, activated, changes};
use crate::records::record;

/// 2026-09-21T14:13:20Z.
const BEGIN_US: i64 = 1_790_000_000_000_000;

/// How many events, where `LEDGER_SAMPLE_EVENTS` does not say.
const EVENTS: usize = 12_000;

/// Between two events, where `LEDGER_SAMPLE_STEP_US` does not say: 500 a second.
const STEP_US: i64 = 2000;

/// Verbs that break a rule whenever they happen: they are in the unruly share alone.
const NEVER_LAWFUL: [&str; 5] = [
    "cluster.alert_route.deleted",
    "delivery.guardrail.breached",
    "delivery.guardrail.recovered",
    "delivery.guardrail.sample_gap",
    "platform.secrets_bundle.sync_failed",
];

type Feed = Vec<(i64, Sample)>;

/// A number from the environment, for measuring by hand.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may be told how long it is"
)]
fn told<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let told = env::var(name).ok().and_then(|text| text.parse().ok());
    told.unwrap_or(otherwise)
}

fn drawn(catalog: &Catalog, unruly: u32) -> Feed {
    let mut sampler = Sampler::new(catalog, &[], 1).unwrap().unruly(unruly);
    let step_us = told("LEDGER_SAMPLE_STEP_US", STEP_US);
    let times = (0_i64..).map(|number| BEGIN_US + number * step_us);
    let times = times.take(told("LEDGER_SAMPLE_EVENTS", EVENTS));
    times.map(|at_us| (at_us, sampler.next(at_us))).collect()
}

fn fact(place: usize, at_us: i64, sample: &Sample) -> Fact {
    let header = Header {
        // Position 0 activates the catalog.
        seq: u64::try_from(place).unwrap() + 1,
        occurred_us: at_us,
        recorded_us: at_us,
        source: "urn:sample".to_owned(),
        id: sample.id.clone(),
        event_type: sample.event_type.clone(),
        subject: sample.subject.clone(),
        actor: sample.actor.clone(),
        publisher: "sample".to_owned(),
        ..Header::default()
    };
    let data = sample.data.to_string().into_bytes();
    Fact::read(record(header, Some(data))).unwrap()
}

fn facts(feed: &Feed) -> Vec<Fact> {
    let facts = feed.iter().enumerate();
    facts
        .map(|(place, (at, one))| fact(place, *at, one))
        .collect()
}

/// What these events change, as one batch.
fn fold(catalog: &Catalog, feed: &Feed) -> Changes {
    changes(Arc::new(catalog.clone()), &facts(feed))
}

/// Verdicts by rule, but for what the fold says of those that the ledger did not publish in time.
fn verdicts(changes: &Changes) -> BTreeMap<String, usize> {
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    let all = changes.verdicts.iter().map(|(_, known)| known);
    for known in all.filter(|known| known.verdict.rule != "verdict.unexpected") {
        *rules.entry(known.verdict.rule.clone()).or_default() += 1;
    }
    rules
}

/// Verdicts an event, and how many events there are of each type.
fn measured(unruly: u32) -> (f64, BTreeMap<String, usize>) {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap();
    let feed = drawn(&catalog, unruly);
    let rules = verdicts(&fold(&catalog, &feed));
    let mut types: BTreeMap<String, usize> = BTreeMap::new();
    for (_, one) in &feed {
        *types.entry(one.event_type.clone()).or_default() += 1;
    }
    let each = rules.values().sum::<usize>() as f64 / feed.len() as f64;
    eprintln!("{each:.4} verdicts an event: {rules:?}\n{types:?}");
    (each, types)
}

#[test]
fn few_events_break_a_rule_and_all_kinds_are_there() {
    let (each, types) = measured(20);
    assert!(each <= 0.03, "{each} verdicts an event");
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap();
    let mut missing = BTreeSet::new();
    for kind in catalog
        .kinds()
        .filter(|kind| kind.name.package.as_str() != "ledger")
    {
        let verbs = kind.events.iter();
        let verbs = verbs.map(|event| format!("{}.{}", kind.name, event.verb));
        let absent: Vec<String> = verbs.filter(|one| !types.contains_key(one)).collect();
        assert!(
            absent.len() < kind.events.len(),
            "there is no {}",
            kind.name
        );
        missing.extend(absent);
    }
    missing.retain(|one| !NEVER_LAWFUL.contains(&one.as_str()));
    assert!(missing.len() <= 8, "never drawn: {missing:?}");
}

#[test]
fn without_an_unruly_share_hardly_anything_is_found() {
    let (each, _) = measured(0);
    assert!(each <= 0.002, "{each} verdicts an event");
}

#[test]
fn what_is_tried_ahead_is_as_if_it_had_not_been() {
    let packages = Package::builtin().expect("the built-in packages load");
    let catalog = Arc::new(Catalog::of(&packages, json!({})).expect("a catalog"));
    let mut feed = drawn(&catalog, 1000);
    feed.truncate(1500);
    let facts = facts(&feed);
    // Nothing is known beforehand, so that nearly every step lacks something, and those after it are tried.
    let way = Way {
        catalogs: &activated(catalog.clone()),
        scope: &Scope::All,
        foreseen: Foreseen::Nothing,
    };
    let mut rows = Rows::after_activation();
    for batch in facts.chunks(500) {
        rows.fold(&way, World::default(), batch);
    }
    let told = |verdict: &Verdict| (verdict.violation(), verdict.judged_from.clone());
    let found = rows.verdicts.values().map(|known| told(&known.verdict));
    let found: BTreeSet<_> = found.collect();
    let all = changes(catalog, &facts).verdicts;
    let all: BTreeSet<_> = all.iter().map(|(_, known)| told(&known.verdict)).collect();
    assert!(all.len() > 500, "{} verdicts", all.len());
    let otherwise: Vec<_> = found.symmetric_difference(&all).take(3).collect();
    assert!(otherwise.is_empty(), "{otherwise:?}");
}

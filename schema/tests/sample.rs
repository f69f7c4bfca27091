//! The sampler: what it makes is accepted, legal, varied, and the same for the same seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use schema::sample::{Sample, Sampler};
use schema::{Catalog, EventType, Name, Package};
use serde_json::json;

const EVENTS: usize = 20_000;
const START_US: i64 = 1_790_000_000_000_000;

fn catalog() -> Catalog {
    Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap()
}

fn run(catalog: &Catalog, only: &[Name], seed: u64) -> Vec<Sample> {
    // Without judging: what keeps the rules is folded by a test of the projections.
    let mut sampler = Sampler::new(catalog, only, seed).unwrap().unruly(1000);
    let times = (0_i64..).map(|n| START_US + n * 1_000_000);
    times.take(EVENTS).map(|at| sampler.next(at)).collect()
}

#[test]
fn every_event_is_accepted_and_every_step_is_legal() {
    let catalog = catalog();
    let mut statuses: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    for sample in run(&catalog, &[], 7) {
        let event_type = EventType::parse(&sample.event_type).unwrap();
        let (kind, event) = catalog.event(&event_type).unwrap();
        let checked = event.check(sample.data.to_string().as_bytes());
        assert_eq!(checked, Ok(()), "{sample:?}");
        let key = (kind.name.to_string(), sample.subject.clone());
        let known = statuses.get(&key).cloned();
        let status = known.clone().flatten();
        let step = kind.step(status.as_deref(), event_type.verb(), &sample.data);
        assert!(step.legal, "{sample:?} from {status:?}");
        if known.is_some() {
            let claimed = step.from_claimed.as_deref();
            assert!(
                claimed.is_none() || claimed == status.as_deref(),
                "{sample:?}"
            );
        }
        statuses.insert(key, step.to.or(status));
    }
}

#[test]
fn every_event_of_every_kind_happens() {
    let catalog = catalog();
    let seen: BTreeSet<String> = run(&catalog, &[], 1)
        .into_iter()
        .map(|sample| sample.event_type)
        .collect();
    let kinds = catalog
        .kinds()
        .filter(|kind| kind.name.package.as_str() != "ledger");
    let all = kinds.flat_map(|kind| {
        let verbs = kind.events.iter().map(|event| event.verb.clone());
        verbs.map(|verb| format!("{}.{verb}", kind.name))
    });
    let missing: Vec<String> = all.filter(|one| !seen.contains(one)).collect();
    assert!(missing.is_empty(), "never drawn: {missing:?}");
}

#[test]
fn what_stands_in_another_text_does_so_when_it_is_drawn() {
    let catalog = catalog();
    let release = [Name::new("release").unwrap()];
    let mut versions = 0;
    for sample in run(&catalog, &release, 11) {
        if sample.event_type == "release.version.created" {
            let text = |name: &str| sample.data[name].as_str().unwrap().to_owned();
            assert!(text("full_version").contains(&text("semver")), "{sample:?}");
            assert!(text("semver").ends_with(&text("prerelease")), "{sample:?}");
            versions += 1;
        }
    }
    assert!(versions > 100, "{versions} versions only");
}

#[test]
fn a_seed_is_a_run() {
    let catalog = catalog();
    assert_eq!(run(&catalog, &[], 3), run(&catalog, &[], 3));
    assert_ne!(run(&catalog, &[], 3), run(&catalog, &[], 4));
}

#[test]
fn what_keeps_the_rules_is_repeatable_accepted_and_legal_too() {
    let catalog = catalog();
    let run = || {
        let mut sampler = Sampler::new(&catalog, &[], 9).unwrap().unruly(0);
        let times = (0_i64..).map(|n| START_US + n * 1_000_000);
        let all = times.take(1500).map(|at| sampler.next(at));
        all.collect::<Vec<Sample>>()
    };
    let samples = run();
    for sample in &samples {
        let event_type = EventType::parse(&sample.event_type).unwrap();
        let (kind, event) = catalog.event(&event_type).unwrap();
        let checked = event.check(sample.data.to_string().as_bytes());
        assert_eq!(checked, Ok(()), "{sample:?}");
        let made = kind.identity.as_ref();
        let made = made.and_then(|one| one.of(sample.data.as_object().unwrap()));
        assert!(made.is_none_or(|made| made == sample.subject), "{sample:?}");
        assert!(sample.actor.ends_with("@example.org"), "{sample:?}");
    }
    assert_eq!(samples, run());
}

#[test]
fn only_the_wanted_packages() {
    let catalog = catalog();
    let platform = [Name::new("platform").unwrap()];
    let all = run(&catalog, &platform, 3);
    assert!(
        all.iter()
            .all(|sample| sample.event_type.starts_with("platform."))
    );
    assert!(Sampler::new(&catalog, &[Name::new("nothing").unwrap()], 3).is_none());
}

#[test]
fn identifiers_are_those_of_the_fields() {
    let catalog = catalog();
    let created = run(&catalog, &[], 5)
        .into_iter()
        .find(|sample| sample.event_type == "platform.access_policy.granted")
        .unwrap();
    let text = |name: &str| created.data[name].as_str().unwrap().to_owned();
    assert_eq!(
        created.subject,
        format!("{}/{}", text("environment"), text("role"))
    );
}

/// Where a rule wants one of something, there is one: so an environment, which wants a dashboard of its own, becomes
/// ready, fails, and recovers. It is not created a second time to be in another status.
#[test]
fn environments_become_ready_again_and_again() {
    let catalog = catalog();
    let mut sampler = Sampler::new(&catalog, &[], 1).unwrap();
    let times = (0_i64..).map(|n| START_US + n * 2000);
    let mut ready = 0;
    let mut dashboards: BTreeMap<String, String> = BTreeMap::new();
    for sample in times.take(4000).map(|at| sampler.next(at)) {
        match sample.event_type.as_str() {
            "platform.environment.status_changed" if sample.data["to"] == "ready" => ready += 1,
            "platform.dashboard.created" | "platform.dashboard.updated" => {
                if let Some(environment) = sample.data["environment"].as_str() {
                    dashboards.insert(sample.subject, environment.to_owned());
                }
            }
            _ => {}
        }
    }
    let environments: BTreeSet<&String> = dashboards.values().collect();
    assert_eq!(environments.len(), dashboards.len(), "{dashboards:?}");
    assert!(ready >= 5, "{ready} times ready");
}

/// What can only be created once others are there (a tag after its version, a deployment after its tag) is drawn as
/// others are: every kind that something creates is one event in 200 at least.
#[test]
fn every_kind_has_its_share() {
    let catalog = catalog();
    for seed in [1, 2] {
        let mut sampler = Sampler::new(&catalog, &[], seed).unwrap();
        let mut drawn: BTreeMap<String, usize> = BTreeMap::new();
        let times = (0_i64..).map(|n| START_US + n * 2000);
        for sample in times.take(3000).map(|at| sampler.next(at)) {
            let event_type = EventType::parse(&sample.event_type).unwrap();
            let (kind, _) = catalog.event(&event_type).unwrap();
            *drawn.entry(kind.name.to_string()).or_default() += 1;
        }
        let kinds = catalog.kinds().filter(|kind| {
            let creates = kind.events.iter().any(|event| event.creates);
            creates && kind.name.package.as_str() != "ledger"
        });
        let few: Vec<(String, usize)> = kinds
            .map(|kind| kind.name.to_string())
            .map(|name| (name.clone(), drawn.get(&name).copied().unwrap_or_default()))
            .filter(|(_, many)| *many < 3000 / 200)
            .collect();
        assert!(few.is_empty(), "seed {seed}: {few:?}");
    }
}

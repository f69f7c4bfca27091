//! What the sample quarter breaks: nothing but what its story says. Judged as if every event had been recorded when it
//! says that it happened, so that what came late is not among it.
//!
//! `ops/samples/breaches.txt` lists the violations, with how many there are of each rule and about whom. `LEDGER_BLESS=1`
//! writes it anew; look at the difference before you keep it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is blessed by the environment"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use schema::rule::{Event, World};
use schema::{Catalog, EventType, Package, time};
use serde_json::{Map, Value, json};

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../ops/samples")
        .join(name)
}

/// By rule and severity, whom each violation is about and what tells it apart, in the order of the chain.
fn breaches() -> BTreeMap<String, Vec<String>> {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap();
    let mut world = World::default();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let text = fs::read_to_string(sample("quarter.ndjson")).unwrap();
    for (seq, line) in (0..).zip(text.lines()) {
        let body: Value = serde_json::from_str(line).unwrap();
        let said = |name: &str| body[name].as_str().unwrap_or_default();
        let event_type = EventType::parse(said("type")).unwrap();
        let at_us = time::parse_rfc3339_us(said("time")).unwrap();
        let (kind, _) = catalog.event(&event_type).unwrap();
        let own = [
            "specversion",
            "id",
            "source",
            "type",
            "subject",
            "time",
            "authid",
            "data",
        ];
        let members = body.as_object().unwrap().iter();
        let context = members.filter(|(name, _)| !own.contains(&name.as_str()));
        let context: Map<String, Value> = context
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let event = Event {
            kind: &kind.name.to_string(),
            verb: event_type.verb().as_str(),
            id: said("id"),
            subject: said("subject"),
            source: said("source"),
            actor: said("authid"),
            publisher: "platform",
            context: &context,
            occurred_us: at_us,
            recorded_us: at_us,
            seq,
            data: &body["data"],
        };
        let told = world.apply(&catalog, &kind.name, event_type.verb(), event);
        for one in told.raised {
            let named = format!("{} {}", one.rule, one.severity);
            let key = if one.detail_key.is_empty() {
                String::new()
            } else {
                format!(" {}", one.detail_key)
            };
            let about = format!("{} {} {}{key}", &said("time")[..16], one.kind, one.id);
            found.entry(named).or_default().push(about);
        }
    }
    found
}

#[test]
fn the_quarter_breaks_what_its_story_says() {
    let mut text =
        "What quarter.ndjson breaks, judged as if recorded when it happened.\n".to_owned();
    for (named, all) in breaches() {
        write!(text, "\n{named}: {}\n", all.len()).unwrap();
        for one in all {
            writeln!(text, "  {one}").unwrap();
        }
    }
    let file = sample("breaches.txt");
    if env::var_os("LEDGER_BLESS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let differs = kept
        .lines()
        .zip(text.lines())
        .find(|(kept, found)| kept != found);
    assert!(
        kept == text,
        "{differs:?}: look whether the story meant that, then LEDGER_BLESS=1 writes it anew"
    );
}

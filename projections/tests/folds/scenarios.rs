//! The scenarios of all rules, folded: what the model in memory says of them, the fold says, too. So every deadline of the
//! list of demands really fires.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../../../schema/tests/scenarios/rows.rs"]
#[allow(dead_code, reason = "the scenarios' own test uses all of it")]
mod rows;
#[path = "../../../schema/tests/scenarios/run.rs"]
#[allow(dead_code, reason = "the scenarios' own test uses all of it")]
mod run;
#[path = "../../../schema/tests/scenarios/written.rs"]
#[allow(dead_code, reason = "the scenarios' own test uses all of it")]
mod written;

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use ledger::Header;
use projections::fact::Fact;
use projections::verdict::How;
use schema::rule::Shape;
use serde_json::Value;

use self::written::Scenario;
use crate::database::changes;
use crate::records::record;

fn facts(events: run::Events) -> Vec<Fact> {
    let fact = |(at, (recorded_us, event)): (usize, (i64, schema::Event))| {
        let header = Header {
            // Position 0 activates the catalog.
            seq: u64::try_from(at).unwrap() + 1,
            occurred_us: event.occurred_us.unwrap_or(recorded_us),
            recorded_us,
            source: event.source,
            id: event.id,
            event_type: event.event_type.to_string(),
            subject: event.subject,
            actor: event.actor,
            publisher: event.publisher.to_string(),
            context: event.context,
            ..Header::default()
        };
        Fact::read(record(header, Some(event.data.into()))).unwrap()
    };
    events.into_iter().enumerate().map(fact).collect()
}

/// What the model says and the fold does not, or the other way, in words.
fn differ(what: &str, model: &BTreeSet<String>, fold: &BTreeSet<String>) -> Vec<String> {
    let missing = model
        .difference(fold)
        .map(|one| format!("{what} `{one}` is missing"));
    let odd = fold
        .difference(model)
        .map(|one| format!("{what} `{one}` is not the model's"));
    missing.chain(odd).collect()
}

/// Without the words of why something could not be judged.
fn plain(raised: &BTreeSet<String>) -> BTreeSet<String> {
    let plain = raised
        .iter()
        .map(|one| one.split(" (").next().unwrap_or(one).to_owned());
    plain
        .filter(|one| !one.starts_with("transition."))
        .collect()
}

#[test]
fn every_scenario_comes_to_the_same_in_the_fold_and_every_deadline_fires() {
    let mut catalogs = run::Catalogs::default();
    let (mut wrong, mut found): (Vec<String>, BTreeSet<String>) = Default::default();
    for (package, row, path) in rows::files() {
        let name = rows::file_name(&path);
        if path.extension().is_none_or(|end| end != "toml") || name == "elsewhere" {
            continue;
        }
        let scenario: Scenario = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let (given, when, events) = run::told(&scenario, &mut catalogs).unwrap();
        let catalog = catalogs.with(&scenario.settings).unwrap();
        let changes = changes(Arc::new((*catalog).clone()), &facts(events));
        let (mut raised, mut cleared) = (BTreeSet::new(), BTreeSet::new());
        for (_, known) in &changes.verdicts {
            let one = &known.verdict;
            if one.rule != "verdict.unexpected" {
                let said = format!("{} {} {}", one.rule, one.severity, one.detail_key);
                raised.insert(said.trim_end().to_owned());
            }
            let by = known.found_by.clone().unwrap_or_default();
            if known
                .cleared
                .is_some_and(|clearing| clearing.how == How::Mended)
            {
                cleared.extend(by.split('/').nth(1).map(str::to_owned));
            }
            found.insert(by);
        }
        let sent = changes.send.iter();
        let tasks = sent
            .clone()
            .filter(|one| one.event_type == "ledger.task.opened");
        let class = |data: &[u8]| {
            let data: Value = serde_json::from_slice(data).unwrap();
            data.get("class")
                .and_then(Value::as_str)
                .unwrap()
                .to_owned()
        };
        let tasks = tasks.map(|one| class(&one.data)).collect();
        let emitted = sent.filter(|one| !one.event_type.starts_with("ledger."));
        let emitted = emitted.map(|one| one.event_type.clone()).collect();
        let both = |of: fn(&run::Came) -> &BTreeSet<String>| of(&given) | of(&when);
        let mut said = differ("raised", &plain(&both(|one| &one.raised)), &plain(&raised));
        said.extend(differ("cleared", &both(|one| &one.cleared), &cleared));
        said.extend(differ("task", &both(|one| &one.tasks), &tasks));
        said.extend(differ("emitted", &both(|one| &one.emitted), &emitted));
        wrong.extend(
            said.into_iter()
                .map(|one| format!("{package}/{row}/{name}: {one}")),
        );
    }
    let catalog = catalogs.with(&serde_json::Map::new()).unwrap();
    let compiled = catalog.rules().all();
    let deadlines = compiled.filter_map(|one| {
        let rule = one.rule.as_ref()?;
        let raises = matches!(&rule.shape, Shape::Deadline(one) if one.raise);
        raises.then(|| format!("{}/{}/{}", one.owner, rule.id, rule.part))
    });
    let silent = deadlines.filter(|one| !found.contains(one));
    wrong.extend(silent.map(|one| format!("the deadline {one} fires in no scenario")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

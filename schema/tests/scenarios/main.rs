//! Scenarios of rules: given these events, when those come, then this is raised.
//!
//! `tests/scenarios/<package>/<row>/` has the files of a row of `tests/scenarios/rules.csv`: in `keeps*.toml` the row
//! is kept, in `breaks*.toml` it is broken. How they are written says `docs/how-to/write-a-rule.md`. They are run on
//! the model in memory, by the built-in packages.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod rows;
mod run;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rows::{Row, file_name, files, first, root, rows};
use run::{Came, Catalogs, differences, run};
use schema::Package;
use written::Scenario;

/// What a scenario says of its row, beside what it expects: where it keeps the row none of the row's verdicts is
/// raised; where it breaks it, some are, each as severe as the row says, and each written down, and its incident opens
/// unless the scenario says that it does not.
fn beside(file: &str, row: &Row, scenario: &Scenario, given: &Came, when: &Came) -> Vec<String> {
    let ids: BTreeSet<&str> = row.verdicts.iter().map(|one| first(one)).collect();
    let mut wrong = Vec::new();
    if file.starts_with("keeps") {
        let broken = ids
            .iter()
            .filter(|rule| given.raises(rule) || when.raises(rule));
        wrong.extend(broken.map(|rule| format!("it keeps the row, and `{rule}` is raised")));
        return wrong;
    }
    if !file.starts_with("breaks") {
        return vec!["a scenario is called `keeps…` or `breaks…`".to_owned()];
    }
    if row.verdicts.is_empty() {
        return wrong;
    }
    let said: BTreeSet<String> = scenario.then.raised.iter().map(|one| two(one)).collect();
    let mut some = when.refused.is_some();
    for raised in when.raised.iter().filter(|one| ids.contains(first(one))) {
        some = true;
        let raised = two(raised);
        if !row.verdicts.contains(&raised) {
            wrong.push(format!("`{raised}` is not as severe as the row says"));
        }
        if !said.contains(&raised) {
            wrong.push(format!("`{raised}` is raised, and `then` does not say so"));
        }
    }
    // Not every verdict of a row opens its incident: where one does not, the scenario says so.
    let unopened = scenario.then.not_opened.contains(&row.incident);
    if !row.incident.is_empty() && !unopened && !when.opens(&row.incident) {
        wrong.push(format!("no incident `{}` opens", row.incident));
    }
    if !some {
        wrong.push("it breaks the row, and none of the row's verdicts is raised".to_owned());
    }
    wrong
}

/// A rule and its severity, without the key.
fn two(text: &str) -> String {
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_expected_comes() {
    let mut catalogs = Catalogs::default();
    let rows = rows();
    let mut wrong = Vec::new();
    for (package, row, path) in files() {
        let file = file_name(&path);
        if path.extension().is_none_or(|end| end != "toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let scenario: Scenario = match toml::from_str(&text) {
            Ok(scenario) => scenario,
            Err(error) => {
                wrong.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let beyond = Row::beyond(&package);
        let demanded = rows.get(&row).unwrap_or(&beyond);
        let mut said = match run(&scenario, &mut catalogs) {
            Err(error) => vec![error],
            Ok((given, when)) => {
                let mut said = differences(&scenario.then, &when);
                said.extend(beside(&file, demanded, &scenario, &given, &when));
                said
            }
        };
        if scenario.about.is_empty() {
            said.push("it says nothing in `about`".to_owned());
        }
        if !rows.contains_key(&row) && !row.starts_with("X-") {
            said.push("there is no such row".to_owned());
        }
        if demanded.package != package && rows.contains_key(&row) {
            said.push(format!("the row is not of package `{package}`"));
        }
        wrong.extend(
            said.into_iter()
                .map(|one| format!("{package}/{row}/{file}: {one}")),
        );
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the files of a row show.
#[derive(Default)]
struct Shown {
    keeps: bool,
    breaks: bool,
    elsewhere: bool,
    raised: BTreeSet<String>,
    opened: BTreeSet<String>,
}

fn shown() -> BTreeMap<String, Shown> {
    let mut all: BTreeMap<String, Shown> = BTreeMap::new();
    for (_, row, path) in files() {
        let shown = all.entry(row).or_default();
        let file = file_name(&path);
        // An obligation that is shown by another test, which the file names.
        shown.elsewhere |= file == "elsewhere";
        shown.keeps |= file.starts_with("keeps");
        if file.starts_with("breaks") {
            shown.breaks = true;
            let scenario: Scenario = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            let then = scenario.then;
            shown.raised.extend(then.raised.iter().map(|one| two(one)));
            let opened = then.opened.iter().map(|one| first(one).to_owned());
            shown.opened.extend(opened);
        }
    }
    all
}

#[test]
fn every_row_has_its_scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doors");
    let doors: String = fs::read_dir(folder)
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let shown = shown();
    let none = Shown::default();
    let mut lacking = BTreeSet::new();
    for (id, row) in rows() {
        let shown = shown.get(&id).unwrap_or(&none);
        let raised = row.verdicts.iter().all(|one| shown.raised.contains(one));
        let opened = row.incident.is_empty() || shown.opened.contains(&row.incident);
        // What the door refuses is held row by row by `doors.rs`.
        let at_the_door = row.verdicts.is_empty() && doors.contains(&format!("id = \"{id}\""));
        let whole = shown.keeps && shown.breaks && raised && opened;
        if !(whole || at_the_door || shown.elsewhere) {
            lacking.insert(id);
        }
    }
    assert!(
        lacking.is_empty(),
        "rows without their scenarios: {lacking:?}"
    );
}

/// `elsewhere.txt` names tests that there are: `<file>: <function>`, one a line, and nothing else.
#[test]
fn what_is_shown_elsewhere_is_shown() {
    let repository = root().join("../..");
    let mut wrong = Vec::new();
    for (_, row, path) in files() {
        if file_name(&path) != "elsewhere" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        if text.trim().is_empty() {
            wrong.push(format!("{row}: it names no test"));
        }
        for line in text.lines() {
            let named = line.split_once(": ");
            let is_there = named.is_some_and(|(file, function)| {
                let source = fs::read_to_string(repository.join(file)).unwrap_or_default();
                source.contains(&format!("fn {function}()"))
            });
            if !is_there {
                wrong.push(format!("{row}: there is no test `{line}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every row that a rule claims is one, or is one of those that stand beside the list (`X-01` and the like).
#[test]
fn rules_name_rows_that_there_are() {
    let rows = rows();
    for package in Package::builtin().expect("the built-in packages load") {
        for kind in package.kinds() {
            let named = kind.rules.iter().flat_map(|rule| &rule.rows);
            let named = named.chain(kind.incidents.iter().flat_map(|one| &one.rows));
            for row in named {
                assert!(
                    rows.contains_key(row) || row.starts_with("X-"),
                    "{}: {row}",
                    kind.name
                );
            }
        }
    }
}

/// A rule's severity is that of the row that it implements, where that row has a verdict of its name.
#[test]
fn rules_are_as_severe_as_their_rows() {
    let rows = rows();
    for package in Package::builtin().expect("the built-in packages load") {
        for kind in package.kinds() {
            for rule in &kind.rules {
                for row in rule.rows.iter().filter_map(|row| rows.get(row)) {
                    let of_rule = |one: &&String| first(one) == rule.id;
                    let said: Vec<&String> = row.verdicts.iter().filter(of_rule).collect();
                    let same = format!("{} {}", rule.id, rule.severity);
                    let is = said.is_empty() || said.iter().any(|one| **one == same);
                    assert!(is, "{} {}: {said:?}", kind.name, rule.id);
                }
            }
        }
    }
}

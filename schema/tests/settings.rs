//! The settings: their defaults are those of the documents, each can be changed, and the page that lists them is current.
//!
//! `settings.toml` says what the documents say. `LEDGER_BLESS=1` writes the page anew.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is blessed by a variable"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use schema::rule::{Holds, Setting, describe, parse_span_us};
use schema::{Activation, Catalog, Package};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    setting: Vec<Transcribed>,
    beyond: Vec<Beyond>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transcribed {
    name: String,
    #[serde(rename = "named")]
    _named: Option<String>,
    default: Value,
    times: Option<String>,
    #[serde(default)]
    rows: Vec<String>,
    #[serde(default)]
    at_once: BTreeMap<String, String>,
    shown: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Beyond {
    name: String,
    default: Value,
}

fn document() -> Document {
    toml::from_str(include_str!("settings.toml")).unwrap()
}

/// Every declared setting by its name.
fn declared() -> BTreeMap<String, Setting> {
    let packages = Package::builtin().expect("the built-in packages load");
    let all = packages.iter().flat_map(Package::settings).cloned();
    all.map(|one| (one.name.clone(), one)).collect()
}

/// The rows and the rules or classes that name a setting.
#[derive(Default)]
struct Uses {
    rows: BTreeSet<String>,
    by: BTreeSet<String>,
}

fn uses() -> BTreeMap<String, Uses> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    let mut note = |names: BTreeSet<String>, rows: &[String], by: &str| {
        for name in names {
            let uses = all.entry(name).or_default();
            uses.rows.extend(rows.iter().cloned());
            uses.by.insert(by.to_owned());
        }
    };
    for package in Package::builtin().expect("the built-in packages load") {
        for kind in package.kinds() {
            for rule in &kind.rules {
                note(rule.settings(), &rule.rows, &rule.id);
            }
            for one in &kind.incidents {
                note(one.settings(), &one.rows, &one.opening.class);
            }
        }
    }
    all
}

/// What holds by these settings.
fn holds(given: Value) -> BTreeMap<String, Value> {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        given,
    )
    .unwrap();
    let all = catalog.rules().settings().all();
    all.map(|(setting, value)| (setting.name.clone(), value.clone()))
        .collect()
}

/// A setting's value under its path: `{"grace": {"docs_updated": "1h"}}`.
fn given(name: &str, value: &Value) -> Value {
    let parts = name.rsplit('.');
    parts.fold(value.clone(), |value, part| json!({ part: value }))
}

/// Puts a setting's value among others.
fn put(settings: &mut Value, name: &str, value: Value) {
    let pointer = name.split('.').collect::<Vec<_>>();
    let (last, groups) = pointer.split_last().unwrap();
    let mut at = settings;
    for group in groups {
        let members = at.as_object_mut().unwrap();
        at = members.entry(*group).or_insert_with(|| json!({}));
    }
    at.as_object_mut()
        .unwrap()
        .insert((*last).to_owned(), value);
}

/// Durations of the same length are the same.
fn plain(value: &Value) -> Value {
    match value.as_str().and_then(parse_span_us) {
        Some(us) => json!(us),
        None => value.clone(),
    }
}

#[test]
fn the_defaults_are_those_of_the_documents() {
    let document = document();
    let transcribed = (document.setting.iter())
        .map(|one| (&one.name, &one.default))
        .chain(document.beyond.iter().map(|one| (&one.name, &one.default)));
    let mut wanted = BTreeMap::new();
    for (name, default) in transcribed {
        let twice = wanted.insert(name.clone(), plain(default));
        assert!(twice.is_none(), "{name} is transcribed twice");
    }
    let held = holds(json!({}));
    let held: BTreeMap<String, Value> = held
        .into_iter()
        .map(|(name, value)| (name, plain(&value)))
        .collect();
    assert_eq!(held, wanted);
}

/// A setting that no rule of its row names would be without effect.
#[test]
fn the_rules_of_each_row_name_its_setting() {
    let uses = uses();
    let pages: String = (Package::builtin()
        .expect("the built-in packages load")
        .iter())
    .map(|package| describe::page(package, &[]))
    .collect();
    for one in document().setting {
        let Transcribed { name, rows, .. } = &one;
        assert!(
            rows.is_empty() == one.shown.is_some(),
            "{name}: rows, or what works by it"
        );
        let found = uses.get(name);
        for row in rows {
            let named = found.is_some_and(|uses| uses.rows.contains(row));
            assert!(named, "no rule of row {row} names {name}");
        }
        for row in one.at_once.keys() {
            let named = found.is_some_and(|uses| uses.rows.contains(row));
            assert!(
                !named,
                "a rule of row {row} names {name}: write it into rows"
            );
        }
        if let Some(times) = &one.times {
            let said = format!("settings.{name} * {times}");
            assert!(pages.contains(&said), "no rule says {said}");
        }
    }
}

/// Another value of the same sort, within the bounds.
fn other(setting: &Setting) -> Value {
    let default = &setting.default;
    match setting.holds {
        Holds::Duration => {
            let values = ["40m", "25h", "2d", "200d"].map(Value::from);
            let us = |value: &Value| parse_span_us(value.as_str().unwrap()).unwrap();
            let fits = |value: &&Value| {
                **value != *default
                    && setting.min.as_ref().is_none_or(|min| us(min) <= us(value))
                    && setting.max.as_ref().is_none_or(|max| us(value) <= us(max))
            };
            values.iter().find(fits).unwrap().clone()
        }
        Holds::Integer | Holds::Number => json!(default.as_i64().unwrap() + 1),
        Holds::Boolean => json!(!default.as_bool().unwrap()),
        Holds::Text => json!("other"),
        Holds::Texts if setting.name == "rules.off" => json!(["change.orphan"]),
        Holds::Texts => json!(["other"]),
        Holds::Map if setting.name == "retention.keep" => json!({"platform.drift_report": "400d"}),
        Holds::Map => json!({"other": "name"}),
        Holds::MapOfTexts => json!({"other": ["name"]}),
    }
}

#[test]
fn each_can_be_changed() {
    let mut all = json!({});
    let mut wanted = BTreeMap::new();
    let packages = Package::builtin().expect("the built-in packages load");
    let mut digests = BTreeSet::from([Activation::of(&packages, json!({})).digest()]);
    for (name, setting) in declared() {
        let value = other(&setting);
        let one = given(&name, &value);
        digests.insert(Activation::of(&packages, one).digest());
        put(&mut all, &name, value.clone());
        wanted.insert(name, value);
    }
    assert_eq!(digests.len(), wanted.len() + 1, "each is another catalog");
    assert_eq!(holds(all), wanted);
}

/// Bounds are kept, other sorts of values and unknown names are refused, with the name.
#[test]
fn what_a_setting_cannot_be_is_refused() {
    let refused = |settings: Value| {
        let found = Catalog::of(
            &Package::builtin().expect("the built-in packages load"),
            settings,
        )
        .unwrap_err();
        let said: Vec<String> = found.iter().map(|one| format!("{one:?}")).collect();
        move |words: [&str; 2]| {
            let fits = |one: &String| words.iter().all(|word| one.contains(word));
            assert!(said.iter().any(fits), "{words:?}: {said:#?}");
        }
    };
    let (mut sorts, mut least, mut most, mut names) = (json!({}), json!({}), json!({}), json!({}));
    for (name, setting) in declared() {
        let wrong = if setting.holds == Holds::Boolean {
            json!("yes")
        } else {
            json!(true)
        };
        put(&mut sorts, &name, wrong);
        put(&mut names, &format!("{name}_"), setting.default.clone());
        if setting.holds == Holds::Duration {
            put(&mut least, &name, json!("1ms"));
            put(&mut most, &name, json!("4000d"));
        }
    }
    let (sorts, least) = (refused(sorts), refused(least));
    let (most, names) = (refused(most), refused(names));
    for (name, setting) in declared() {
        let quoted = format!("`{name}`");
        sorts([&quoted, "is"]);
        names([&format!("`{name}_`"), "no active package has a setting"]);
        if setting.holds == Holds::Duration && setting.min.is_some() {
            least([&quoted, "below its least"]);
        }
        if setting.holds == Holds::Duration && setting.max.is_some() {
            most([&quoted, "above its most"]);
        }
    }
}

/// The page of all settings.
fn page() -> String {
    let mut page = String::from(
        "# Settings of the catalog\n\nWhat rules, retention and deadlines are made with, and what each is where nothing \
         else is said. Written by `LEDGER_BLESS=1 cargo test -p schema` from the files `settings.toml` in \
         `schema/kinds`.\n\nThey stand in the table `[settings]` of the configuration, a group a table:\n\n\
         ```toml\n[settings]\nquarter = \"91d\"\n\n[settings.timeout]\nprovisioning_run = \"6h\"\n```\n\n\
         `ledger catalog activate` puts them into the chain. Every position is judged by the settings of its time: what \
         was recorded before keeps its verdicts, and a deadline that was set keeps its moment. `ledger catalog diff` \
         says what two activations say differently.\n\nDurations are written like `90s`, `15m`, `24h`, `92d` or \
         `1d12h`.\n",
    );
    let uses = uses();
    let mut group = String::new();
    for (package, setting) in Package::builtin()
        .expect("the built-in packages load")
        .iter()
        .flat_map(|package| package.settings().iter().map(move |one| (package, one)))
    {
        if group != package.name().as_str() {
            package.name().as_str().clone_into(&mut group);
            write!(
                page,
                "\n## Package `{group}`\n\n| setting | default | at least | at most | what it is | named by |\n\
                 |---|---|---|---|---|---|\n"
            )
            .unwrap();
        }
        let by = uses.get(&setting.name).map(|uses| &uses.by);
        let by: Vec<String> = by
            .into_iter()
            .flatten()
            .map(|one| format!("`{one}`"))
            .collect();
        writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} |",
            setting.name,
            shown(Some(&setting.default)),
            shown(setting.min.as_ref()),
            shown(setting.max.as_ref()),
            setting.about,
            by.join(", ")
        )
        .unwrap();
    }
    page
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{other}`"),
    }
}

#[test]
fn the_page_of_settings_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/settings.md");
    let page = page();
    if env::var_os("LEDGER_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == page,
        "settings.md is not current: run with LEDGER_BLESS=1"
    );
}

//! `docs/reference/kinds` and `docs/reference/rules` are what the kinds and rules say of themselves, and are current.
//!
//! `LEDGER_BLESS=1` writes it anew.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and is blessed by a variable"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use schema::Package;
use schema::rule::{Incident, Setting, describe};

/// Every page by its path below the folder.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
    let mut index = String::from(
        "# Kinds\n\nWhat the ledger knows from the start. Written by `LEDGER_BLESS=1 cargo test -p schema` from the \
         files in `schema/kinds`; `ledger catalog show KIND` says the same of every active kind.\n",
    );
    for package in Package::builtin().expect("the built-in packages load") {
        write!(
            index,
            "\n## Package `{}`\n\n| kind | what it is | its events |\n|---|---|---|\n",
            package.name()
        )
        .unwrap();
        for kind in package.kinds() {
            let page = format!("{}/{}.md", package.name(), kind.name.entity);
            let verbs: Vec<String> = kind
                .events
                .iter()
                .map(|one| format!("`{}`", one.verb))
                .collect();
            writeln!(
                index,
                "| [`{}`]({page}) | {} | {} |",
                kind.name,
                kind.title,
                verbs.join(", ")
            )
            .unwrap();
            pages.insert(PathBuf::from(page), schema::describe::kind(kind));
        }
    }
    pages.insert(PathBuf::from("README.md"), index);
    pages
}

/// Every file that is there.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn the_reference_of_kinds_is_current() {
    is_current("kinds", &pages());
}

#[test]
fn the_reference_of_rules_is_current() {
    let packages = Package::builtin().expect("the built-in packages load");
    let settings: Vec<Setting> = packages
        .iter()
        .flat_map(Package::settings)
        .cloned()
        .collect();
    let mut pages = BTreeMap::new();
    pages.insert(PathBuf::from("README.md"), describe::index(&packages));
    for package in &packages {
        let page = PathBuf::from(format!("{}.md", package.name()));
        pages.insert(page, describe::page(package, &settings));
    }
    is_current("rules", &pages);
}

/// Of every rule, the page says name, row, severity, what it demands, why, and what to do; of every setting that a
/// rule names, its default.
#[test]
fn the_reference_of_rules_says_all_of_each() {
    let packages = Package::builtin().expect("the built-in packages load");
    let settings: Vec<Setting> = packages
        .iter()
        .flat_map(Package::settings)
        .cloned()
        .collect();
    let mut named = BTreeSet::new();
    for package in &packages {
        let page = describe::page(package, &settings);
        for rule in package.kinds().iter().flat_map(|kind| &kind.rules) {
            let said = [&rule.id, &rule.about, &rule.why, &rule.mend].into_iter();
            for text in said.chain(&rule.rows) {
                assert!(page.contains(text.as_str()), "{} lacks {text}", rule.id);
            }
            named.extend(rule.settings());
        }
        let incidents = package.kinds().iter().flat_map(|kind| &kind.incidents);
        named.extend(incidents.flat_map(Incident::settings));
    }
    let declared = settings.iter().map(|one| one.name.clone());
    let declared: BTreeSet<String> = declared.collect();
    let unknown: Vec<&String> = named.difference(&declared).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    for name in [
        "quarter",
        "grace.incident_link",
        "aliases",
        "publishers.drift",
    ] {
        assert!(named.contains(name), "{name} is named by no rule");
    }
}

fn is_current(folder: &str, pages: &BTreeMap<PathBuf, String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/reference")
        .join(folder);
    if env::var_os("LEDGER_BLESS").is_some() {
        let _ = fs::remove_dir_all(&root);
        for (page, text) in pages {
            let file = root.join(page);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
    }
    for (page, text) in pages {
        let found = fs::read_to_string(root.join(page)).unwrap_or_default();
        assert!(
            found == *text,
            "{} is not current: run with LEDGER_BLESS=1",
            page.display()
        );
    }
    assert_eq!(
        files(&root).len(),
        pages.len(),
        "a page is left over: run with LEDGER_BLESS=1"
    );
}

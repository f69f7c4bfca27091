//! What deny.toml says of dependencies holds: licences, sources, and who may use what. Read from cargo's own metadata,
//! so that it needs no tool that must be built first; `cargo deny` reads the same file and checks advisories as well.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde::Deserialize;
use tests::binaries;

#[derive(Deserialize)]
struct Deny {
    graph: Graph,
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    /// Who may depend on it all the same.
    #[serde(default)]
    wrappers: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

fn deny() -> Deny {
    let file = binaries::checkout().join("deny.toml");
    let text = fs::read_to_string(file).expect("deny.toml is there");
    toml::from_str(&text).expect("deny.toml says what this test knows")
}

/// What is built for a target.
fn metadata(target: &str) -> Metadata {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            target,
        ])
        .current_dir(binaries::checkout())
        .output();
    let output = output.expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata failed: {said}");
    let mut found: Metadata = serde_json::from_slice(&output.stdout).expect("cargo's JSON");
    let used: BTreeSet<&String> = found.resolve.nodes.iter().map(|node| &node.id).collect();
    found.packages.retain(|package| used.contains(&package.id));
    found
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is an old way to write OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any(&words, allowed);
    met && rest.is_empty()
}

fn any<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all(words, allowed);
    while let Some((&"OR", after)) = rest.split_first() {
        let (other, left) = all(after, allowed);
        (met, rest) = (met || other, left);
    }
    (met, rest)
}

fn all<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(words, allowed);
    while let Some((&"AND", after)) = rest.split_first() {
        let (other, left) = one(after, allowed);
        (met, rest) = (met && other, left);
    }
    (met, rest)
}

fn one<'a>(words: &'a [&'a str], allowed: &BTreeSet<String>) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inside @ ..] => {
            let (met, rest) = any(inside, allowed);
            match rest {
                [")", after @ ..] => (met, after),
                _ => (false, rest),
            }
        }
        [name, "WITH", exception, after @ ..] => {
            (allowed.contains(&format!("{name} WITH {exception}")), after)
        }
        [name, after @ ..] => (allowed.contains(*name), after),
        [] => (false, words),
    }
}

#[test]
fn licences_and_sources_are_those_that_we_allow() {
    let deny = deny();
    assert_eq!(
        (
            deny.sources.unknown_registry.as_str(),
            deny.sources.unknown_git.as_str()
        ),
        ("deny", "deny")
    );
    let mut wrong = BTreeSet::new();
    for target in &deny.graph.targets {
        for package in metadata(target).packages {
            let license = package.license.as_deref().unwrap_or_default();
            if !is_allowed(license, &deny.licenses.allow) {
                wrong.insert(format!("{}: the licence {license:?}", package.name));
            }
            let registry = "registry+https://github.com/rust-lang/crates.io-index";
            if package
                .source
                .as_deref()
                .is_some_and(|source| source != registry)
            {
                wrong.insert(format!("{}: from {:?}", package.name, package.source));
            }
        }
    }
    assert!(wrong.is_empty(), "not allowed by deny.toml: {wrong:#?}");
}

#[test]
fn the_rooms_use_what_they_may() {
    let deny = deny();
    let mut wrong = BTreeSet::new();
    for target in &deny.graph.targets {
        let found = metadata(target);
        let names: BTreeMap<&String, &String> = found
            .packages
            .iter()
            .map(|package| (&package.id, &package.name))
            .collect();
        for ban in &deny.bans.deny {
            for node in &found.resolve.nodes {
                let by = names.get(&node.id).expect("a package");
                let uses = node
                    .dependencies
                    .iter()
                    .any(|id| names.get(id).is_some_and(|name| **name == ban.name));
                if uses && !ban.wrappers.contains(*by) {
                    wrong.insert(format!("{by} uses {}", ban.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "against deny.toml: {wrong:#?}");
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]
        .map(str::to_owned)
        .into();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("GPL-3.0 OR MIT AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0", false),
        ("(MIT", false),
        ("MIT ISC", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), met, "{expression:?}");
    }
}

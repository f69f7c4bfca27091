//! What two catalogs say differently.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test fails by panicking, and is short"
)]

use schema::difference::{Side, between};
use schema::{Catalog, Name, Package};
use serde_json::{Value, json};

/// The built-in packages, with a text of a file replaced.
fn with(package: &str, file: &str, changes: &[(&str, &str)]) -> Vec<Package> {
    let all = Package::builtin()
        .expect("the built-in packages load")
        .into_iter()
        .map(|one| {
            if one.name().as_str() != package {
                return one;
            }
            let text: Value = serde_json::from_str(&one.text()).unwrap();
            let files = text["files"].as_object().unwrap().iter();
            let files = files.map(|(name, text)| {
                let mut text = text.as_str().unwrap().to_owned();
                for (this, that) in changes {
                    if name == file {
                        assert!(text.contains(this), "{this} is not in {file}");
                        text = text.replacen(this, that, 1);
                    }
                }
                (name.clone(), text)
            });
            Package::parse(one.name().clone(), files.collect()).unwrap()
        });
    all.collect()
}

fn words(first: (&[Package], Value), second: (&[Package], Value)) -> Vec<String> {
    let compile = |(packages, settings): (&[Package], Value)| Catalog::of(packages, settings);
    let (a, b) = (
        compile(first.clone()).unwrap(),
        compile(second.clone()).unwrap(),
    );
    let found = between(Side::new(&a, first.0), Side::new(&b, second.0));
    let line = |one: &schema::difference::Difference| {
        format!("{} {} {}: {}", one.how, one.what, one.name, one.words())
    };
    found.iter().map(line).collect()
}

#[test]
fn the_same_is_no_difference() {
    let packages = Package::builtin().expect("the built-in packages load");
    let none = words((&packages, json!({})), (&packages, json!({})));
    assert!(none.is_empty(), "{none:?}");
}

#[test]
fn every_thing_that_changes_is_named() {
    let packages = Package::builtin().expect("the built-in packages load");
    let other = with(
        "platform",
        "environment.toml",
        &[
            ("retention = \"forever\"", "retention = \"30d\""),
            (
                "[fields.labels]",
                "[fields.colour]\ntype = \"string\"\nabout = \"C.\"\n\n[fields.labels]",
            ),
            (
                "[fields.quota.fields.pods]\ntype = \"scalar\"",
                "[fields.quota.fields.pods]\ntype = \"integer\"",
            ),
            (
                "from = \"ready\"\nto = \"retired\"",
                "from = \"degraded\"\nto = \"retired\"",
            ),
            (
                "id = \"environment.quota_missing\"\nrows = [\"001-04\"]\nseverity = \"warning\"",
                "id = \"environment.quota_missing\"\nrows = [\"001-04\"]\nseverity = \"error\"",
            ),
            (
                "id = \"environment.no_dashboard\"",
                "id = \"environment.dashboards\"",
            ),
        ],
    );
    let settings = json!({
        "operators": ["oncall"], "quarter": "90d", "authorities": { "cluster.*": ["ansible"] },
    });
    let said = words((&packages, json!({})), (&other, settings)).join("\n");
    for wanted in [
        "changed kind platform.environment: retention was forever, is 30d",
        "added field platform.environment.colour: needed false; sensitive false; type string",
        "changed field platform.environment.quota.pods: type was string, number or boolean, is integer",
        "added edge platform.environment: degraded → retired",
        "removed edge platform.environment: ready → retired",
        "changed rule environment.quota_missing (platform.environment): severity was warning, is error",
        "added rule environment.dashboards (platform.environment)",
        "removed rule environment.no_dashboard (platform.environment)",
        "added authority cluster.*: publishers [\"ansible\"]",
        "added operators operators: publishers [\"oncall\"]",
        "changed setting quarter: value was \"92d\", is \"90d\"",
    ] {
        assert!(said.contains(wanted), "{wanted} is not in\n{said}");
    }
}

#[test]
fn a_package_that_comes_brings_all_of_its_own() {
    const KIND: &str = "kind = \"demo.thing\"\ntitle = \"Thing\"\nabout = \"A thing.\"\nsubject = \"Its name.\"\n\
        view = \"things\"\nretention = \"forever\"\n\n[events.made]\nabout = \"It was made.\"\ncreates = true\n";
    let packages = Package::builtin().expect("the built-in packages load");
    let files = vec![("thing.toml".to_owned(), KIND.to_owned())];
    let demo = Package::parse(Name::new("demo").unwrap(), files).unwrap();
    let more: Vec<Package> = packages.iter().cloned().chain([demo]).collect();
    let said = words((&packages, json!({})), (&more, json!({})));
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said.iter().any(|one| one.starts_with("added package demo")));
    assert!(
        said.iter()
            .any(|one| one.starts_with("added kind demo.thing"))
    );
    assert!(
        said.iter()
            .any(|one| one.starts_with("added event demo.thing.made"))
    );
    let back = words((&more, json!({})), (&packages, json!({})));
    assert!(
        back.iter().all(|one| one.starts_with("removed ")),
        "{back:?}"
    );
}

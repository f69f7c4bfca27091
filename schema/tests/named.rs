//! Entities that data names as an object or by their identifier, and fields that repeat or become others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use schema::merge::Changing;
use schema::{Kind, Name, Package};
use serde_json::{Map, Value, json};

const KIND: &str = r#"
kind = "sample.tag"
title = "Tag"
about = "T."
subject = "S."
view = "tags"
retention = "forever"

[fields.semver]
type = "string"
pattern = 'v(?<major>[0-9]+)(-(?<pre>[a-z]+))?'
about = "V."
example = "v1-rc"

[fields.major]
type = "integer"
part = "semver.major"
about = "M."

[fields.pre]
type = "string"
part = "semver.pre"
about = "P."
example = "rc"

[fields.version]
type = "entity"
by = ["<full>", "<path>/<semver>", "<semver>"]
about = "V."

[fields.others]
type = "array"
of = { type = "entity", by = ["<full>", "<semver>"] }
about = "O."

[fields.commit]
type = "string"
about = "C."

[events.made]
about = "Made."
creates = true
carries = "all"

[events.moved]
about = "Moved."
carries = ["commit"]

[events.moved.fields.new]
type = "string"
becomes = "commit"
about = "N."
"#;

fn kind() -> Kind {
    let files = vec![("tag.toml".to_owned(), KIND.to_owned())];
    let package = Package::parse(Name::new("sample").unwrap(), files).unwrap();
    package.kind("tag").unwrap().clone()
}

fn check(data: &Value) -> Result<(), String> {
    kind().check(&Name::new("made").unwrap(), data.to_string().as_bytes())
}

#[test]
fn a_field_that_repeats_another_agrees_with_it() {
    for right in [
        json!({"semver": "v12", "major": 12}),
        json!({"major": 12, "semver": "v12-rc", "pre": "rc"}),
        json!({"semver": "v12"}),
        json!({"major": 3, "pre": "rc"}),
        json!({"semver": "v12-rc", "pre": null, "major": null}),
    ] {
        assert_eq!(check(&right), Ok(()), "{right}");
    }
    for (wrong, at) in [
        (json!({"semver": "v12", "major": 13}), "/major"),
        (json!({"semver": "v12-rc", "pre": "beta"}), "/pre"),
        (json!({"semver": "v12", "pre": "rc"}), "/pre"),
        (
            json!({"semver": "v99999999999999999999", "major": 9}),
            "/major",
        ),
    ] {
        assert_eq!(check(&wrong), Err(at.to_owned()), "{wrong}");
    }
}

#[test]
fn an_entity_is_named_by_its_identifier_or_an_object() {
    for (said, name) in [
        (json!("api/v1"), Some("api/v1")),
        (json!({"full": "api/v1", "semver": "v2"}), Some("api/v1")),
        (
            json!({"semver": "v1", "path": "api", "more": [1]}),
            Some("api/v1"),
        ),
        (
            json!({"semver": "v1", "path": "", "full": null}),
            Some("v1"),
        ),
        (json!({"path": "api"}), None),
        (json!({}), None),
        (json!(""), None),
        (json!(1), None),
        (json!(["v1"]), None),
    ] {
        let data = json!({"version": said});
        let Some(name) = name else {
            assert_eq!(check(&data), Err("/version".to_owned()), "{data}");
            continue;
        };
        assert_eq!(check(&data), Ok(()), "{data}");
        let mut attributes = Map::from_iter([("version".to_owned(), json!({"old": 1}))]);
        let kind = kind();
        kind.merge(
            &mut Changing::new(&mut attributes),
            &Name::new("made").unwrap(),
            &data,
        );
        assert_eq!(attributes.get("version"), Some(&json!(name)));
    }
}

#[test]
fn data_is_made_plain_at_any_depth() {
    let kind = kind();
    let event = kind.event(&Name::new("made").unwrap()).unwrap();
    let data = json!({"others": [{"semver": "v1"}, "v2"], "commit": "c", "more": {"semver": "v3"}});
    let plain = json!({"others": ["v1", "v2"], "commit": "c", "more": {"semver": "v3"}});
    assert_eq!(*event.plain(&data), plain);
    assert_eq!(
        check(&json!({"others": ["v1", {"path": "api"}]})),
        Err("/others/1".to_owned())
    );
}

#[test]
fn what_becomes_a_field_is_kept_unless_the_field_is_said() {
    let moved = Name::new("moved").unwrap();
    let mut attributes = Map::new();
    for (data, commit) in [
        (json!({"new": "b"}), "b"),
        (json!({"new": "c", "commit": null}), "c"),
        (json!({"new": "d", "commit": "e"}), "e"),
        (json!({"new": null}), "e"),
    ] {
        let kind = kind();
        kind.merge(&mut Changing::new(&mut attributes), &moved, &data);
        assert_eq!(
            attributes,
            Map::from_iter([("commit".to_owned(), json!(commit))]),
            "{data}"
        );
    }
}

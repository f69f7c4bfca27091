//! Bundles that somebody changed: whatever it was, it is found, even where the signing key was at hand.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that finds nothing there has failed"
)]

mod support;

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::report::What;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::*;

/// Writes a ledger of eight events, lets `change` at it, and gives the sorts of problems that are found.
fn tampered(change: impl FnOnce(&Path)) -> Vec<What> {
    let place = Place::new();
    let path = place.join("b");
    sample(8, plain).write(&path);
    change(&path);
    let report = verify(&path);
    assert_eq!(report.ok, report.problems.is_empty());
    kinds(&report)
}

/// The same for one field of event 3, with digests and signature made to fit again.
fn field(name: &str, value: impl Into<Value>) -> Vec<What> {
    tampered(|path| edit_line(path, 3, |line| line[name] = value.into()))
}

#[test]
fn each_field_is_bound() {
    let hash = hex::encode([5; 32]);
    let broken = [What::Header, What::Chain, What::Tree];
    for name in [
        "source",
        "id",
        "type",
        "subject",
        "actor",
        "publisher",
        "context",
    ] {
        assert_eq!(field(name, "changed"), broken, "{name}");
    }
    assert_eq!(field("occurred_us", 1), broken);
    assert_eq!(field("recorded_us", 1_785_704_400_002_001_i64), broken);
    assert_eq!(
        field("stream_seq", 9),
        [What::Header, What::Chain, What::Tree, What::Stream]
    );
    assert_eq!(
        field("stream", ""),
        [What::Header, What::Chain, What::Tree, What::Stream]
    );
    assert_eq!(field("data", BASE64.encode("{}")), [What::Data]);
    assert_eq!(field("salt", hash.as_str()), [What::Data]);
    assert_eq!(
        field("data_commitment", hash.as_str()),
        [What::Data, What::Header, What::Chain, What::Tree]
    );
    assert_eq!(field("event_hash", hash.as_str()), [What::Header]);
    assert_eq!(field("chain", hash.as_str()), [What::Chain, What::Tree]);
    assert_eq!(field("prev_chain", hash.as_str()), [What::Chain]);
}

#[test]
fn data_is_there_whole_or_is_gone_for_a_reason() {
    let gone = |extra: Value| {
        tampered(|path| {
            edit_line(path, 3, |line| {
                line["salt"] = Value::Null;
                line["data"] = Value::Null;
                if let Some(extra) = extra.as_object() {
                    line.as_object_mut().unwrap().extend(extra.clone());
                }
            });
        })
    };
    assert_eq!(gone(json!({})), [What::Redaction]);
    // The manifest's counts are signed too.
    assert_eq!(gone(json!({"withheld": true})), [What::Gap]);
    assert_eq!(
        gone(json!({"withheld": null})),
        [What::Header, What::Gap, What::Tree]
    );
    assert_eq!(field("salt", Value::Null), [What::Data]);
    assert_eq!(field("data", Value::Null), [What::Data]);
    assert_eq!(field("withheld", true), [What::Gap, What::Redaction]);
}

#[test]
fn only_one_way_of_writing_is_read() {
    let unreadable = |name: &str, value: Value| {
        let found = field(name, value);
        assert!(
            found.contains(&What::Header) && found.contains(&What::Gap),
            "{name}: {found:?}"
        );
    };
    unreadable("seq", json!("3"));
    unreadable("seq", json!(3.0));
    unreadable("seq", json!(-3));
    unreadable("unheard_of", json!(1));
    unreadable("salt", json!(hex::encode_upper([0xab; 32])));
    unreadable("salt", json!("ab"));
    unreadable("data", json!("e30"));
    unreadable("data", json!("e3 0="));
    unreadable("prev_chain", Value::Null);
    let without = |name: &str| {
        tampered(|path| {
            edit_line(path, 3, |line| {
                line.as_object_mut().unwrap().remove(name);
            });
        })
    };
    for name in ["seq", "actor", "context", "chain", "salt", "data"] {
        let found = without(name);
        assert!(
            found.contains(&What::Header) && found.contains(&What::Gap),
            "{name}: {found:?}"
        );
    }
}

fn lines(path: &Path, change: impl FnOnce(&mut Vec<String>)) {
    edit(path, "events.ndjson", |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        lines.join("\n") + "\n"
    });
}

#[test]
fn positions_are_all_there_once_and_in_order() {
    let change = |change: fn(&mut Vec<String>)| tampered(|path| lines(path, change));
    for (name, found) in [
        ("left out", change(|lines| drop(lines.remove(3)))),
        ("twice", change(|lines| lines.insert(3, lines[3].clone()))),
        ("swapped", change(|lines| lines.swap(3, 4))),
        ("first gone", change(|lines| drop(lines.remove(0)))),
        ("last gone", change(|lines| drop(lines.pop()))),
        ("all gone", change(Vec::clear)),
        ("blank line", change(|lines| lines.push(String::new()))),
    ] {
        assert!(
            found.contains(&What::Gap) || name == "blank line",
            "{name}: {found:?}"
        );
        assert!(!found.is_empty(), "{name}");
    }
}

/// Even with every count and signature made to fit, a cut ledger does not reach its signed head.
#[test]
fn a_cut_end_is_found() {
    let found = tampered(|path| {
        lines(path, |lines| lines.truncate(5));
        edit_manifest(path, |manifest| {
            manifest["to"] = 4.into();
            manifest["events"] = 5.into();
            manifest["matching"] = 5.into();
        });
    });
    assert_eq!(found, [What::Gap]);
}

#[test]
fn events_beyond_the_signed_head_are_named() {
    let place = Place::new();
    let (long, short) = (sample(9, plain), sample(6, plain));
    let mut writer = short.writer(&place.join("b"));
    long.records
        .iter()
        .for_each(|record| writer.event(record).unwrap());
    writer.finish(&signer()).unwrap();
    let report = verify(&place.join("b"));
    assert_eq!(
        (kinds(&report), report.problems[0].seq),
        (vec![What::Tree], Some(6))
    );
}

#[test]
fn another_head_or_another_manifest_is_found() {
    let other = sample(8, |seq| ("a.b.c", format!("{{\"x\":{seq}}}")))
        .about()
        .checkpoint;
    assert_eq!(
        tampered(|path| edit(path, "checkpoint", |_| other)),
        [What::Tree]
    );
    let smaller = sample(7, plain).about().checkpoint;
    let found = tampered(|path| edit(path, "checkpoint", |_| smaller));
    assert_eq!(found, [What::Tree, What::Checkpoint]);
    let unsigned = |text: String| text.replace("\n8\n", "\n9\n");
    let found = tampered(|path| edit(path, "checkpoint", unsigned));
    assert_eq!(found, [What::Gap, What::Checkpoint, What::Signature]);
    let garbage = |_| "not a head".to_owned();
    assert_eq!(
        tampered(|path| edit(path, "checkpoint", garbage)),
        [What::Signature]
    );
    // Without the signing key, every byte of every file counts.
    for name in [
        "checkpoint",
        "keys",
        "events.ndjson",
        "verdicts.ndjson",
        "manifest.json",
        "manifest.note",
    ] {
        let found = tampered(|path| {
            let path = path.join(name);
            let mut bytes = fs::read(&path).unwrap();
            bytes.push(b'\n');
            fs::write(path, bytes).unwrap();
        });
        assert!(found.contains(&What::Signature), "{name}: {found:?}");
    }
    for (name, value) in [
        ("from", 1),
        ("to", 6),
        ("events", 9),
        ("matching", 1),
        ("withheld", 1),
        ("redacted", 1),
    ] {
        let found = tampered(|path| edit_manifest(path, |manifest| manifest[name] = value.into()));
        assert_eq!(found, [What::Gap], "{name}");
    }
    let found = tampered(|path| edit_manifest(path, |m| m["checkpoint_size"] = 9.into()));
    assert_eq!(found, [What::Checkpoint]);
}

#[test]
fn parts_without_or_with_wrong_proofs_are_found() {
    let part = |change: &dyn Fn(&Path)| {
        let place = Place::new();
        let path = place.join("b");
        sample(40, plain).write_parts(&path, &[(3, 9), (20, 20)]);
        assert!(verify(&path).ok);
        change(&path);
        kinds(&verify(&path))
    };
    let proofs =
        |change: &dyn Fn(String) -> String| part(&|path| edit(path, "proofs.ndjson", change));
    assert_eq!(proofs(&|_| String::new()), [What::Tree]);
    assert_eq!(
        proofs(&|text| text.split_inclusive('\n').skip(1).collect()),
        [What::Tree]
    );
    assert_eq!(
        proofs(&|text| text.replacen("\"seq\":3", "\"seq\":4", 1)),
        [What::Tree]
    );
    assert_eq!(
        proofs(&|text| text.replacen("\"seq\":3", "\"seq\":2", 1)),
        [What::Tree]
    );
    assert_eq!(
        proofs(&|text| text.replacen("[\"", "[\"AAAA\",\"", 1)),
        [What::Tree]
    );
    assert_eq!(proofs(&|text| format!("{text}{text}")), [What::Tree]);
    assert_eq!(proofs(&|text| format!("{text}nonsense\n")), [What::Tree]);
    let moved = |name: &'static str| {
        move |path: &Path| edit_line(path, 7, |line| line[name] = hex::encode([1; 32]).into())
    };
    assert_eq!(part(&moved("prev_chain")), [What::Chain, What::Tree]);
    let gone = |path: &Path| {
        edit_line(path, 7, |line| {
            drop(line.as_object_mut().unwrap().remove("prev_chain"));
        });
    };
    assert!(part(&gone).contains(&What::Gap));
}

fn flip(path: &Path, at: prop::sample::Index, bit: u8) {
    let file = path.join("events.ndjson");
    let mut bytes = fs::read(&file).expect("events");
    let at = at.index(bytes.len() - 1);
    *bytes.get_mut(at).expect("within") ^= 1 << bit;
    fs::write(file, bytes).expect("written");
}

/// A copy of the bundle, to be changed.
fn copy(of: &Path) -> Place {
    let place = Place::new();
    for file in fs::read_dir(of).expect("a folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), place.root().join(file.file_name())).expect("copied");
    }
    place
}

/// Found by the signed manifest, and without it by the hashes alone.
#[test]
fn any_flipped_bit_of_the_events_is_found() {
    let place = Place::new();
    sample(5, plain).write(&place.join("b"));
    proptest!(ProptestConfig::with_cases(400), |(at: prop::sample::Index, bit in 0_u8..8)| {
        let bundle = copy(&place.join("b"));
        flip(bundle.root(), at, bit);
        prop_assert!(kinds(&verify(bundle.root())).contains(&What::Signature));
        reseal(bundle.root());
        let report = verify(bundle.root());
        prop_assert!(!report.ok);
        prop_assert!(!kinds(&report).contains(&What::Signature), "{:?}", report);
    });
}

#[test]
fn any_flipped_bit_of_a_part_is_found() {
    let place = Place::new();
    sample(20, plain).write_parts(&place.join("b"), &[(3, 5), (9, 9)]);
    proptest!(ProptestConfig::with_cases(400), |(at: prop::sample::Index, bit in 0_u8..8)| {
        let bundle = copy(&place.join("b"));
        flip(bundle.root(), at, bit);
        reseal(bundle.root());
        prop_assert!(!verify(bundle.root()).ok);
    });
}

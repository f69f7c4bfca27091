//! Bundles made to harm whoever verifies them: a clear problem or error, never a panic, never a file written.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that finds nothing there has failed"
)]

mod support;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use ledger::bundle::{self, BundleError};
use ledger::report::{Report, What};
use proptest::prelude::*;
use serde_json::json;
use support::*;

fn written() -> (Place, std::path::PathBuf) {
    let place = Place::new();
    let path = place.join("b");
    sample(8, plain).write(&path);
    (place, path)
}

fn details(report: &Report) -> String {
    let details: Vec<&str> = report.problems.iter().map(|p| p.detail.as_str()).collect();
    details.join("\n")
}

fn refused(path: &Path) -> BundleError {
    bundle::verify(path, &[key()], &|_| ()).expect_err("cannot be read")
}

#[test]
fn what_is_no_bundle_is_an_error() {
    let place = Place::new();
    assert!(matches!(
        refused(&place.join("nothing")),
        BundleError::Io { .. }
    ));
    assert!(matches!(
        refused(place.root()),
        BundleError::NotABundle { .. }
    ));
    fs::write(place.join("text"), "no zstd").unwrap();
    assert!(matches!(
        refused(&place.join("text")),
        BundleError::Io { .. }
    ));
    fs::write(
        place.join("empty.tar.zst"),
        zstd::encode_all(&[][..], 1).unwrap(),
    )
    .unwrap();
    assert!(matches!(
        refused(&place.join("empty.tar.zst")),
        BundleError::NotABundle { .. }
    ));
    let garbage = zstd::encode_all(&[7; 5000][..], 1).unwrap();
    fs::write(place.join("garbage.tar.zst"), garbage).unwrap();
    assert!(matches!(
        refused(&place.join("garbage.tar.zst")),
        BundleError::Io { .. }
    ));
}

#[test]
fn unknown_formats_and_broken_manifests_are_errors() {
    let (_place, path) = written();
    edit_manifest(&path, |manifest| manifest["format"] = 2.into());
    assert!(matches!(refused(&path), BundleError::Format { found: 2 }));
    edit_manifest(&path, |manifest| *manifest = json!({"format": 7}));
    assert!(matches!(refused(&path), BundleError::Format { found: 7 }));
    for wrong in [
        "",
        "{",
        "null",
        "[]",
        "{\"format\":1}",
        "{\"format\":1.5}",
        "\u{1b}[31m",
    ] {
        fs::write(path.join("manifest.json"), wrong).unwrap();
        let error = refused(&path);
        assert!(matches!(error, BundleError::NotABundle { .. }), "{wrong}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    fs::write(path.join("manifest.json"), "[".repeat(100_000)).unwrap();
    assert!(matches!(refused(&path), BundleError::NotABundle { .. }));
}

#[test]
fn missing_files_are_problems() {
    for (name, found) in [
        ("checkpoint", What::Signature),
        ("keys", What::Signature),
        ("events.ndjson", What::Gap),
        ("verdicts.ndjson", What::Signature),
        ("manifest.note", What::Signature),
    ] {
        let (_place, path) = written();
        fs::remove_file(path.join(name)).unwrap();
        assert!(kinds(&verify(&path)).contains(&found), "{name}");
        edit_manifest(&path, |manifest| {
            manifest["files"].as_object_mut().unwrap().remove(name);
        });
        let optional = ["manifest.note", "verdicts.ndjson"].contains(&name);
        assert_eq!(verify(&path).ok, optional, "{name}");
    }
}

#[test]
fn files_that_nobody_signed_are_problems() {
    let (_place, path) = written();
    fs::write(path.join("notes\u{1b}[31m.txt"), "believe me").unwrap();
    fs::create_dir(path.join("more")).unwrap();
    fs::write(path.join("more/file"), "and me").unwrap();
    let report = verify(&path);
    assert_eq!(
        (kinds(&report), report.problems.len()),
        (vec![What::Signature], 2)
    );
    assert!(!details(&report).contains('\u{1b}'), "{}", details(&report));
}

#[test]
fn names_that_lead_out_are_not_followed() {
    for name in [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "",
        ".",
        "a\\b",
        "a//b",
        "C:x",
        "a\nb",
    ] {
        let (place, path) = written();
        fs::write(place.join("secret"), "secret").unwrap();
        edit_manifest(&path, |manifest| manifest["files"][name] = "00".into());
        let report = verify(&path);
        assert_eq!(kinds(&report), [What::Signature], "{name:?}");
        assert!(
            details(&report).contains("not a legal name"),
            "{}",
            details(&report)
        );
    }
}

#[test]
fn links_and_devices_are_not_followed() {
    for name in ["events.ndjson", "checkpoint", "extra"] {
        let (place, path) = written();
        let elsewhere = place.join("elsewhere");
        if path.join(name).exists() {
            fs::rename(path.join(name), &elsewhere).unwrap();
        }
        symlink(&elsewhere, path.join(name)).unwrap();
        let report = verify(&path);
        assert!(
            details(&report).contains("is not a file"),
            "{name}: {}",
            details(&report)
        );
    }
    let (_place, path) = written();
    symlink("/", path.join("folder")).unwrap();
    assert!(details(&verify(&path)).contains("is not a file"));
    fs::remove_file(path.join("manifest.json")).unwrap();
    symlink("/dev/zero", path.join("manifest.json")).unwrap();
    assert!(matches!(refused(&path), BundleError::NotABundle { .. }));
}

#[test]
fn huge_and_broken_lines_are_problems() {
    let (_place, path) = written();
    let mut events = fs::read(path.join("events.ndjson")).unwrap();
    events.extend(std::iter::repeat_n(b'[', 65 << 20));
    events.extend(b"\n\xff\xfe\n\n{}\nnull\n");
    fs::write(path.join("events.ndjson"), events).unwrap();
    reseal(&path);
    let report = verify(&path);
    assert_eq!(
        (kinds(&report), report.problems.len()),
        (vec![What::Header], 5)
    );
    assert!(
        details(&report).contains("line 9: longer than 64 MiB"),
        "{}",
        details(&report)
    );
}

#[test]
fn a_flood_of_problems_is_counted_and_not_kept() {
    let (_place, path) = written();
    edit(&path, "events.ndjson", |text| text + &"x\n".repeat(5000));
    let report = verify(&path);
    assert_eq!(
        (report.problems.len(), report.problems_left_out),
        (1000, 4000)
    );
}

/// Packs entries as they are, with no regard for what they are called.
fn pack(target: &Path, entries: &[(&str, tar::EntryType, &[u8])]) {
    let mut packed = zstd::Encoder::new(File::create(target).unwrap(), 1).unwrap();
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len().try_into().unwrap());
        header.set_mode(0o644);
        header.set_cksum();
        packed.write_all(header.as_bytes()).unwrap();
        packed.write_all(bytes).unwrap();
        packed
            .write_all(&vec![0; bytes.len().next_multiple_of(512) - bytes.len()])
            .unwrap();
    }
    packed.write_all(&[0; 1024]).unwrap();
    packed.finish().unwrap();
}

/// The files of a good bundle with others before them, packed and verified.
fn packed_after(more: &[(&str, tar::EntryType, &[u8])], top: &str) -> Result<Report, BundleError> {
    let (place, path) = written();
    let mut files = Vec::new();
    for file in fs::read_dir(&path).unwrap() {
        let file = file.unwrap();
        let name = format!("{top}{}", file.file_name().to_str().unwrap());
        files.push((name, fs::read(file.path()).unwrap()));
    }
    let mut entries = more.to_vec();
    entries.extend(
        files
            .iter()
            .map(|(n, b)| (n.as_str(), tar::EntryType::Regular, b.as_slice())),
    );
    let target = place.join("hostile.tar.zst");
    pack(&target, &entries);
    let before: Vec<_> = fs::read_dir(place.root())
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    let report = bundle::verify(&target, &[key()], &|_| ());
    let after: Vec<_> = fs::read_dir(place.root())
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(before, after, "nothing is written");
    report
}

#[test]
fn other_orders_and_a_folder_above_are_fine() {
    let folder: (&str, _, &[u8]) = ("bundle/", tar::EntryType::Directory, b"");
    let dot: (&str, _, &[u8]) = ("./", tar::EntryType::Directory, b"");
    let pax: (&str, _, &[u8]) = (
        "PaxHeaders/x",
        tar::EntryType::XHeader,
        b"20 mtime=1234567890\n",
    );
    for (more, top) in [
        (vec![], ""),
        (vec![dot], "./"),
        (vec![folder], "bundle/"),
        (vec![pax], ""),
    ] {
        let report = packed_after(&more, top).unwrap();
        assert!(report.ok, "{more:?} {top} {report:?}");
    }
}

#[test]
fn hostile_entries_are_problems() {
    use tar::EntryType as Kind;
    let large = vec![b'x'; 100_000];
    for (entry, expected) in [
        (("../outside", Kind::Regular, &b"x"[..]), "not allowed"),
        (("/tmp/outside", Kind::Regular, b"x"), "not allowed"),
        (("a/../../outside", Kind::Regular, b"x"), "not allowed"),
        (("../up/", Kind::Directory, b""), "not allowed"),
        (("link", Kind::Symlink, b""), "not a file"),
        (("hard", Kind::Link, b""), "not a file"),
        (("fifo", Kind::Fifo, b""), "not a file"),
        (("device", Kind::Char, b""), "not a file"),
        (
            ("long", Kind::GNULongName, b"manifest.json\0"),
            "not a file",
        ),
        (
            ("x", Kind::XHeader, b"22 path=manifest.json\n"),
            "another name or size",
        ),
        (
            ("g", Kind::XGlobalHeader, b"12 size=999\n"),
            "another name or size",
        ),
        (("x", Kind::XHeader, &large), "64 KiB"),
        (("extra", Kind::Regular, b"x"), "not in the manifest"),
    ] {
        let report = packed_after(&[entry], "").unwrap();
        assert_eq!(kinds(&report), [What::Signature], "{entry:?}");
        assert!(
            details(&report).contains(expected),
            "{}: {}",
            entry.0,
            details(&report)
        );
    }
}

#[test]
fn of_two_files_with_one_name_the_first_is_read_and_that_is_said() {
    let forged: (&str, _, &[u8]) = ("checkpoint", tar::EntryType::Regular, b"forged");
    let report = packed_after(&[forged], "").unwrap();
    assert!(
        details(&report).contains("is there twice"),
        "{}",
        details(&report)
    );
    assert!(kinds(&report).contains(&What::Signature));
}

/// Each of the many small files lies behind a large one: reached anew for each, that would take hours.
#[test]
fn many_small_files_behind_a_large_one_are_read_in_one_go() {
    let large = vec![0; 64 << 20];
    let names: Vec<String> = (0..3000).map(|n| format!("{n}.tlog-proof")).collect();
    let mut more = vec![("large", tar::EntryType::Regular, large.as_slice())];
    more.extend(
        names
            .iter()
            .map(|name| (name.as_str(), tar::EntryType::Regular, &b"x"[..])),
    );
    let (place, path) = written();
    for (name, _, bytes) in &more {
        fs::write(path.join(name), bytes).unwrap();
    }
    reseal(&path);
    let mut entries = more.clone();
    let mut files = Vec::new();
    for name in [
        "manifest.json",
        "manifest.note",
        "checkpoint",
        "keys",
        "events.ndjson",
        "verdicts.ndjson",
    ] {
        files.push((name, fs::read(path.join(name)).unwrap()));
    }
    entries.extend(
        files
            .iter()
            .map(|(name, bytes)| (*name, tar::EntryType::Regular, bytes.as_slice())),
    );
    let target = place.join("b.tar.zst");
    pack(&target, &entries);
    let begun = std::time::Instant::now();
    let report = bundle::verify(&target, &[key()], &|_| ()).unwrap();
    assert_eq!(kinds(&report), [What::Tree], "{}", details(&report));
    assert!(
        begun.elapsed() < std::time::Duration::from_mins(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_cut_or_changed_package_is_an_error_or_a_problem() {
    let place = Place::new();
    let path = place.join("b.tar.zst");
    sample(300, plain).write(&path);
    let good = fs::read(&path).unwrap();
    proptest!(ProptestConfig::with_cases(150), |(at: prop::sample::Index, byte: u8, cut: bool)| {
        let mut bytes = good.clone();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let same = bytes == good;
        fs::write(&path, bytes).unwrap();
        // zstd's checksum finds a change in what is packed; some of its own header's bits carry nothing.
        if let Ok(report) = bundle::verify(&path, &[key()], &|_| ()) {
            prop_assert!(same || report.ok || !report.problems.is_empty());
        }
    });
}

/// Any bytes in any of the files: a report or an error.
#[test]
fn no_bytes_in_any_file_make_verifying_panic() {
    let (_place, path) = written();
    let names = [
        "checkpoint",
        "keys",
        "events.ndjson",
        "proofs.ndjson",
        "verdicts.ndjson",
        "manifest.note",
        "manifest.json",
    ];
    proptest!(ProptestConfig::with_cases(200), |(which in 0..names.len(), bytes: Vec<u8>, pinned: bool)| {
        let file = path.join(names[which]);
        let before = fs::read(&file).ok();
        fs::write(&file, &bytes).unwrap();
        let keys = if pinned { vec![key()] } else { Vec::new() };
        if let Ok(report) = bundle::verify(&path, &keys, &|_| ()) {
            prop_assert!(!report.ok || before.as_ref() == Some(&bytes));
        }
        match before {
            Some(before) => fs::write(&file, before).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    });
}

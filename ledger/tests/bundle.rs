//! Bundles that hold: what is written verifies, in all its shapes.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger::bundle::{self, BundleError, Manifest, Prover, Redacted, TlogProof, Writer};
use ledger::report::What;
use support::*;

#[test]
fn a_whole_ledger_verifies_as_a_folder_and_packed() {
    let (place, sample) = (Place::new(), sample(700, plain));
    let (folder, packed) = (place.join("bundle"), place.join("bundle.tar.zst"));
    sample.write(&folder);
    sample.write(&packed);
    let report = verify(&folder);
    assert!(report.ok && report.complete, "{report:?}");
    assert_eq!((report.size, report.checkpoint_size), (700, Some(700)));
    assert_eq!(report.chain, hex::encode(sample.records[699].chain));
    let text = sample.head.text();
    assert_eq!(Some(report.root.as_str()), text.lines().nth(2));
    assert!(report.notes.is_empty());
    assert_eq!(verify(&packed), report);
    let names: Vec<_> = fs::read_dir(place.root()).unwrap().collect();
    assert_eq!(names.len(), 2, "no draft is left: {names:?}");
}

#[test]
fn given_up_at_any_moment_it_leaves_nothing() {
    let (place, sample) = (Place::new(), sample(700, plain));
    for name in ["bundle", "bundle.tar.zst"] {
        let mut patience = 0;
        loop {
            let target = place.join(name);
            let mut writer = sample.writer(&target);
            let asked = AtomicUsize::new(0);
            writer.give_up_when(move || asked.fetch_add(1, Ordering::Relaxed) >= patience);
            sample
                .records
                .iter()
                .for_each(|record| writer.event(record).unwrap());
            match writer.finish(&signer()) {
                Ok(_) => break,
                Err(error) => assert!(matches!(error, BundleError::GivenUp), "{error}"),
            }
            let left = fs::read_dir(place.root()).unwrap().count();
            let earlier = usize::from(name != "bundle");
            assert_eq!(left, earlier, "asked {patience} times");
            patience += 1;
        }
        assert!(patience > 0, "{name} is given up at least once");
        assert!(verify(&place.join(name)).ok);
    }
}

#[test]
fn the_manifest_says_what_is_in_it() {
    let (place, sample) = (Place::new(), sample(9, plain));
    let mut writer = sample.writer(&place.join("b"));
    writer.resume_after(sample.records[2].chain);
    writer.withheld(&sample.records[3]).unwrap();
    writer.event(&sample.records[4]).unwrap();
    writer.withheld(&sample.records[5]).unwrap();
    sample.prove(&mut writer, 3);
    sample.prove(&mut writer, 5);
    let manifest: Manifest = writer.finish(&signer()).unwrap();
    assert_eq!((manifest.format, manifest.from, manifest.to), (1, 3, 5));
    assert_eq!(
        (
            manifest.events,
            manifest.matching,
            manifest.withheld,
            manifest.redacted
        ),
        (3, 1, 2, 0)
    );
    assert_eq!(manifest.checkpoint_size, 9);
    let names: Vec<&str> = manifest.files.keys().map(String::as_str).collect();
    let expected = [
        "checkpoint",
        "events.ndjson",
        "keys",
        "proofs.ndjson",
        "verdicts.ndjson",
    ];
    assert_eq!(names, expected);
    let report = verify(&place.join("b"));
    assert!(report.ok && report.complete, "{report:?}");
}

#[test]
fn parts_verify_by_the_proofs_of_their_ends() {
    let sample = sample(600, plain);
    for (ranges, complete) in [
        (vec![(0, 0)], true),
        (vec![(599, 599)], true),
        (vec![(0, 300)], true),
        (vec![(250, 261)], true),
        (vec![(0, 599)], true),
        (vec![(3, 3), (7, 7), (9, 40), (599, 599)], false),
    ] {
        let place = Place::new();
        sample.write_parts(&place.join("b.tar.zst"), &ranges);
        let report = verify(&place.join("b.tar.zst"));
        assert!(report.ok, "{ranges:?} {report:?}");
        assert_eq!(report.complete, complete, "{ranges:?}");
    }
}

fn with_retention(seq: u64) -> (&'static str, String) {
    match seq {
        6 => (
            "ledger.retention.applied",
            r#"{"class":"redaction","ranges":[[2,3],[4,4]],"scheduled_by":5}"#.into(),
        ),
        _ => plain(seq),
    }
}

fn redacted(by: u64) -> Redacted {
    Redacted {
        by,
        rule: "redaction".into(),
        at: "2026-11-21T00:00:00Z".into(),
    }
}

#[test]
fn redacted_events_still_verify_and_their_redaction_is_looked_up() {
    let sample = sample(9, with_retention);
    let write = |which: usize, by: u64| {
        let place = Place::new();
        let mut writer = sample.writer(&place.join("b"));
        for (at, record) in sample.records.iter().enumerate() {
            let gone = at == 2 || at == 3 || at == which;
            let done = if gone {
                writer.redacted(record, redacted(by))
            } else {
                writer.event(record)
            };
            done.unwrap();
        }
        writer.finish(&signer()).unwrap();
        verify(&place.join("b"))
    };
    let report = write(4, 6);
    assert!(report.ok, "{report:?}");
    // Position 5 is not among what 6 takes; 7 is no retention; 8 is the last; 1 is before.
    assert_eq!(kinds(&write(5, 6)), [What::Redaction]);
    assert_eq!(kinds(&write(4, 7)), [What::Redaction]);
    assert_eq!(kinds(&write(4, 1)), [What::Redaction]);
    let later = write(4, 9);
    assert!(later.ok && later.notes.len() == 1, "{later:?}");
}

fn with_hold(seq: u64) -> (&'static str, String) {
    match seq {
        1 => (
            "ledger.hold.placed",
            r#"{"hold":"h","scope":{},"reason":"why"}"#.into(),
        ),
        5 => ("ledger.hold.released", r#"{"hold":"h"}"#.into()),
        6 => (
            "ledger.retention.applied",
            r#"{"class":"redaction","ranges":[[2,3]]}"#.into(),
        ),
        _ => plain(seq),
    }
}

fn with_hold_still(seq: u64) -> (&'static str, String) {
    match seq {
        5 => plain(seq),
        _ => with_hold(seq),
    }
}

#[test]
fn what_a_hold_keeps_is_not_redacted_in_a_bundle_either() {
    let write = |content, which: &[usize]| {
        let (place, sample) = (Place::new(), sample(9, content));
        let mut writer = sample.writer(&place.join("b"));
        for (at, record) in sample.records.iter().enumerate() {
            let done = if which.contains(&at) {
                writer.redacted(record, redacted(6))
            } else {
                writer.event(record)
            };
            done.unwrap();
        }
        writer.finish(&signer()).unwrap();
        verify(&place.join("b"))
    };
    let released = write(with_hold, &[2, 3]);
    assert!(released.ok, "{released:?}");
    let held = write(with_hold_still, &[2, 3]);
    assert_eq!(kinds(&held), [What::Redaction], "{held:?}");
    assert_eq!(held.problems.len(), 2, "{held:?}");
    assert!(held.problems[0].detail.contains("the hold"), "{held:?}");
}

fn with_verdict(seq: u64) -> (&'static str, String) {
    match seq {
        4 => (
            "ledger.violation.raised",
            r#"{"rule":"transition.illegal","cause_seq":3}"#.into(),
        ),
        _ => plain(seq),
    }
}

#[test]
fn verdicts_are_listed_and_compared() {
    let (place, sample) = (Place::new(), sample(6, with_verdict));
    let path = place.join("b");
    sample.write(&path);
    let listed = fs::read_to_string(path.join("verdicts.ndjson")).unwrap();
    let expected = r#"{"seq":4,"type":"ledger.violation.raised","data":{"rule":"transition.illegal","cause_seq":3}}"#;
    assert_eq!(listed.trim_end(), expected);
    assert!(verify(&path).ok);
    edit(&path, "verdicts.ndjson", |text| {
        text.replace("\"cause_seq\":3", "\"cause_seq\":2")
    });
    assert_eq!(kinds(&verify(&path)), [What::Verdict]);
    edit(&path, "verdicts.ndjson", |text| {
        text.replace("\"seq\":4", "\"seq\":40")
    });
    assert_eq!(kinds(&verify(&path)), [What::Verdict]);
}

#[test]
fn without_a_pinned_key_the_report_says_so() {
    let (place, sample) = (Place::new(), sample(5, plain));
    sample.write(&place.join("b"));
    let report = bundle::verify(&place.join("b"), &[], &|_| ()).unwrap();
    assert!(
        report.ok
            && report
                .notes
                .iter()
                .any(|note| note.contains("no key was pinned"))
    );
    let stranger = ledger::note::Signer::from_seed("other.example", &[1; 32]).unwrap();
    let report = bundle::verify(
        &place.join("b"),
        &[stranger.verifying_key().clone()],
        &|_| (),
    )
    .unwrap();
    assert_eq!(kinds(&report), [What::Signature]);
    let impostor = ledger::note::Signer::from_seed(ORIGIN, &[1; 32]).unwrap();
    let report = bundle::verify(
        &place.join("b"),
        &[impostor.verifying_key().clone()],
        &|_| (),
    )
    .unwrap();
    assert_eq!(kinds(&report), [What::Signature]);
}

#[test]
fn progress_is_told() {
    let (place, sample) = (Place::new(), sample(5000, plain));
    sample.write(&place.join("b"));
    let told = std::sync::Mutex::new(Vec::new());
    bundle::verify(&place.join("b"), &[key()], &|done| {
        told.lock().unwrap().push(done);
    })
    .unwrap();
    assert_eq!(*told.lock().unwrap(), [4096, 5000]);
}

#[test]
fn writing_out_of_order_over_something_or_nothing_is_refused() {
    let (place, sample) = (Place::new(), sample(6, plain));
    let path = place.join("b");
    let mut writer = sample.writer(&path);
    assert!(matches!(
        writer.event(&sample.records[1]),
        Err(BundleError::Order { seq: 1, .. })
    ));
    writer.event(&sample.records[0]).unwrap();
    assert!(matches!(
        writer.event(&sample.records[0]),
        Err(BundleError::Order { .. })
    ));
    assert!(matches!(
        writer.event(&sample.records[2]),
        Err(BundleError::Order { .. })
    ));
    drop(writer);
    assert!(!path.exists(), "an unfinished bundle leaves nothing behind");
    let empty = sample.writer(&path).finish(&signer());
    assert!(matches!(empty, Err(BundleError::Empty)));
    fs::create_dir(&path).unwrap();
    sample.write(&path);
    assert!(matches!(
        Writer::create(&path, sample.about()),
        Err(BundleError::Exists { .. })
    ));
    assert!(verify(&path).ok, "what was there is as it was");
    sample.write(&place.join("b.tar.zst"));
    let again = Writer::create(&place.join("b.tar.zst"), sample.about());
    assert!(matches!(again, Err(BundleError::Exists { .. })));
    let mut about = sample.about();
    about.origin = "other.example".into();
    assert!(matches!(
        Writer::create(&place.join("c"), about),
        Err(BundleError::Checkpoint { .. })
    ));
}

#[test]
fn packing_the_same_gives_the_same_bytes() {
    let (place, sample) = (Place::new(), sample(50, plain));
    sample.write(&place.join("a.tar.zst"));
    sample.write(&place.join("b.tar.zst"));
    assert_eq!(
        fs::read(place.join("a.tar.zst")).unwrap(),
        fs::read(place.join("b.tar.zst")).unwrap()
    );
}

#[test]
fn proofs_in_files_of_their_own_are_read_back_and_hold() {
    let place = Place::new();
    for size in [1, 2, 7, 255, 256, 257, 700] {
        let sample = sample(size, plain);
        let wanted = [0, size / 3, size / 2, size - 1];
        let mut prover = Prover::new(BTreeSet::from(wanted), size).expect("in the tree");
        let target = place.join(&size.to_string());
        let mut writer = sample.writer(&target);
        for record in &sample.records {
            prover.push(record);
            writer.event(record).expect("written");
        }
        for (seq, siblings) in prover.finish().expect("all went by") {
            assert_eq!(siblings, sample.proof(seq), "{seq} of {size}");
            writer.tlog_proof(seq, &siblings).expect("written");
        }
        writer.finish(&signer()).expect("finished");
        let report = verify(&target);
        assert!(report.ok, "{:?}", report.problems);
        let name = format!("{}.tlog-proof", size - 1);
        let text = fs::read_to_string(target.join(&name)).expect("a proof");
        let proof = TlogProof::parse(&text).expect("whole");
        assert_eq!((proof.index, proof.to_string()), (size - 1, text));
    }
}

#[test]
fn a_proof_in_a_file_of_its_own_that_does_not_hold_is_found() {
    let place = Place::new();
    let sample = sample(20, plain);
    let changes: [fn(String) -> String; 5] = [
        |text| text.replace("index 7", "index 8"),
        |text| text.replace("index 7", "index 07"),
        |text| text.replace("tlog-proof@v1", "tlog-proof@v2"),
        |text| {
            // Two siblings the other way round.
            let mut lines: Vec<&str> = text.lines().collect();
            lines.swap(2, 3);
            lines.join("\n") + "\n"
        },
        |text| text.replace("ledger.example/main\n", "ledger.example/other\n"),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let target = place.join(&number.to_string());
        let mut writer = sample.writer(&target);
        for record in &sample.records {
            writer.event(record).expect("written");
        }
        writer.tlog_proof(7, &sample.proof(7)).expect("written");
        writer.finish(&signer()).expect("finished");
        assert!(verify(&target).ok);
        edit(&target, "7.tlog-proof", change);
        assert_eq!(kinds(&verify(&target)), [What::Tree], "change {number}");
    }
    let mut writer = sample.writer(&place.join("stray"));
    writer.event(&sample.records[0]).expect("written");
    writer.tlog_proof(7, &sample.proof(7)).expect("written");
    writer.proof(0, &sample.proof(0)).expect("written");
    writer.finish(&signer()).expect("finished");
    assert_eq!(kinds(&verify(&place.join("stray"))), [What::Tree]);
}

#[test]
fn a_packed_bundle_has_the_proofs_in_files_of_their_own_too() {
    let place = Place::new();
    let sample = sample(20, plain);
    let target = place.join("b.tar.zst");
    let mut writer = sample.writer(&target);
    for record in &sample.records {
        writer.event(record).expect("written");
    }
    for seq in [0, 7] {
        writer.tlog_proof(seq, &sample.proof(seq)).expect("written");
    }
    writer.finish(&signer()).expect("finished");
    let report = verify(&target);
    assert!(report.ok, "{:?}", report.problems);
    let listed = bundle::Events::open(&target)
        .expect("opened")
        .manifest
        .files;
    assert!(listed.contains_key("7.tlog-proof"), "{listed:?}");
}

#[test]
fn a_bundle_is_held_against_the_heads_that_were_kept_from_before() {
    let place = Place::new();
    let ours = place.join("ours");
    let sample = sample(20, plain);
    sample.write(&ours);
    let signed = |sample: Sample| sample.head.sign(&signer()).expect("signs").to_string();
    let against = |kept: String| {
        bundle::verify_against(&ours, &[key()], &[kept], &|_| ()).expect("can be read")
    };
    for size in [1, 7, 20] {
        let report = against(signed(self::sample(size, plain)));
        assert!(report.ok, "{size}: {:?}", report.problems);
    }
    // Another history under the same name and key, one that was longer, and another ledger's.
    let another = |size| {
        let other: Content = |seq| ("platform.environment.created", format!("{{\"n\":{seq}}}"));
        signed(self::sample(size, other))
    };
    for (kept, found) in [
        (another(7), What::RolledBack),
        (another(30), What::RolledBack),
        ("no head at all".to_owned(), What::Signature),
    ] {
        assert_eq!(kinds(&against(kept.clone())), [found], "{kept}");
    }
}

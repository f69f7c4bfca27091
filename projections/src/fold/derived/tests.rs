//! What is derived is published once, matched once, and anything else is a verdict.

use std::sync::LazyLock;

use ledger::record::Body;
use ledger::{Header, Record};
use schema::LedgerName;
use serde_json::json;

use super::*;
use crate::catalogs::Catalogs;
use crate::fold::{Changes, Checkpoint, Loaded, Scope, World};

static CATALOGS: LazyLock<Catalogs> = LazyLock::new(Catalogs::default);

fn task() -> Derived {
    let data = json!({ "task": "t1", "class": "follow_up" });
    Derived::new(3, "ledger.task.opened", "t1", "t1", &data)
}

fn back(seq: u64, change: impl FnOnce(&mut Header, &mut Option<Body>)) -> Fact {
    let event = task();
    let mut header = Header {
        seq,
        source: "ledger://main".to_owned(),
        id: event.id,
        event_type: event.event_type,
        subject: event.subject,
        publisher: "ledger".to_owned(),
        ..Header::default()
    };
    let mut body = Some(Body {
        salt: [0; 32],
        data: event.data.into(),
    });
    change(&mut header, &mut body);
    let record = Record {
        header,
        data_commitment: [0; 32],
        event_hash: [0; 32],
        chain: [0; 32],
        body,
    };
    Fact::read(record).expect("readable")
}

/// Folds facts of which nothing is in the database but what is given.
fn fold(next: u64, derive: bool, facts: &[Fact], stored: Option<&Expected>) -> Changes {
    let main = LedgerName::new("main").expect("legal");
    let at = Checkpoint {
        next,
        ..Checkpoint::default()
    };
    let mut fold = Fold::begin(&main, &CATALOGS, &Scope::All, at, World::default());
    if derive {
        fold.emit(task());
        fold.emit(task());
    }
    let needs = fold.foresee(facts);
    let stored = stored.filter(|_| needs.derived.contains("t1"));
    let loaded = Loaded {
        derived: stored
            .map(|one| ("t1".to_owned(), one.clone()))
            .into_iter()
            .collect(),
        ..Loaded::default()
    };
    let (mut fold, mut taken, mut needs) =
        fold.supply(needs, loaded).steps(facts).expect("in order");
    while taken < facts.len() {
        let rest = facts.split_at(taken).1;
        let more;
        (fold, more, needs) = fold
            .supply(needs, Loaded::default())
            .steps(rest)
            .expect("in order");
        taken += more;
    }
    fold.finish().0
}

#[test]
fn it_is_published_until_it_is_seen() {
    let first = fold(3, true, &[], None);
    assert_eq!(first.send, [task()], "once, though it was derived twice");
    let (_, expected) = first.derived.first().expect("it is expected");
    assert_eq!(expected.seq, None);
    let then = fold(4, false, &[back(4, |_, _| ())], Some(expected));
    assert_eq!(then.settled, ["t1"]);
    assert_eq!(then.derived.first().and_then(|(_, one)| one.seq), Some(4));
    assert_eq!((then.unexpected, then.send.len()), (0, 0));
}

#[test]
fn derived_and_seen_in_one_batch_it_is_not_published() {
    let both = fold(3, true, &[back(3, |_, _| ())], None);
    assert_eq!(
        (both.send.len(), both.settled.len(), both.unexpected),
        (0, 0, 0)
    );
    assert_eq!(both.derived.first().and_then(|(_, one)| one.seq), Some(3));
}

#[test]
fn what_does_not_follow_or_differs_is_a_verdict() {
    let first = fold(3, true, &[], None);
    let expected = first.derived.first().map(|(_, one)| one);
    let detail = |changes: &Changes| {
        let verdicts = changes.verdicts.iter();
        let unexpected = verdicts.filter(|(_, one)| one.verdict.rule == "verdict.unexpected");
        let details = unexpected.map(|(_, one)| one.verdict.detail_key.clone());
        details.collect::<Vec<_>>()
    };
    let other = |_: &mut Header, body: &mut Option<Body>| {
        if let Some(body) = body {
            body.data = json!({ "task": "t1", "class": "nothing" })
                .to_string()
                .into();
        }
    };
    let elsewhere = |header: &mut Header, _: &mut Option<Body>| header.subject.push('x');
    for change in [other, elsewhere] {
        let differs = fold(4, false, &[back(4, change)], expected);
        assert_eq!(
            (detail(&differs), differs.unexpected),
            (vec!["differs".to_owned()], 1)
        );
        assert_eq!(
            differs.settled,
            ["t1"],
            "its id is taken: ours would be refused"
        );
    }
    let forged = fold(4, false, &[back(4, |_, _| ())], None);
    assert_eq!(
        (detail(&forged), forged.unexpected),
        (vec!["not_derived".to_owned()], 1)
    );
    assert_eq!(forged.derived, []);
    let twice = fold(
        4,
        false,
        &[back(4, |_, _| ()), back(5, |_, _| ())],
        expected,
    );
    assert_eq!(detail(&twice), ["differs"]);
}

#[test]
fn where_its_data_was_deleted_it_is_taken_as_it_came() {
    let deleted = |_: &mut Header, body: &mut Option<Body>| *body = None;
    let first = fold(3, true, &[], None);
    let expected = first.derived.first().map(|(_, one)| one);
    assert_eq!(fold(4, false, &[back(4, deleted)], expected).unexpected, 0);
    assert_eq!(fold(4, false, &[back(4, deleted)], None).unexpected, 0);
}

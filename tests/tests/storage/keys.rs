//! Salt keys: made when the chain steps into a month, and never for one that it has been in.

use std::path::PathBuf;

use ledger::append::AppendError;
use ledger::keyring::{Keyring, KeyringError};

use crate::support::{CREATED_US, Fixture, STREAM, arrival, event};

const MONTH_US: i64 = 31 * 86_400_000_000;

fn drawn(bytes: &mut [u8]) {
    bytes.fill(7);
}

/// An event whose message was stored so many months after the ledger was made.
fn months_later(stream_seq: u64, months: i64) -> ledger::append::Arrival {
    let mut arrival = arrival(stream_seq, event(&format!("id-{stream_seq}")));
    arrival.message.time_us = CREATED_US + months * MONTH_US;
    arrival
}

fn key_of(fixture: &Fixture, month: &str) -> PathBuf {
    fixture.keyring.folder().join(format!("salt/{month}.key"))
}

#[tokio::test]
async fn a_month_gets_its_key_when_the_chain_steps_into_it() {
    let mut fixture = Fixture::new().await;
    fixture.keyring = Keyring::open(fixture.keyring.folder(), drawn).expect("the keys open");
    let mut appender = fixture.appender().await;
    let batch = vec![months_later(1, 0), months_later(2, 3), months_later(3, 3)];
    appender.append(STREAM, batch).await.expect("appended");
    assert!(key_of(&fixture, "2026-11").exists());
    assert!(
        !key_of(&fixture, "2026-10").exists(),
        "nothing was recorded in it"
    );

    // The key of a month that the chain is in was lost: it is named, nothing is appended, none is made.
    let key = std::fs::read(key_of(&fixture, "2026-11")).expect("read");
    std::fs::remove_file(key_of(&fixture, "2026-11")).expect("removed");
    let mut appender = fixture.appender().await;
    let lost = appender.append(STREAM, vec![months_later(4, 3)]).await;
    assert!(
        matches!(&lost, Err(AppendError::Keys(KeyringError::NoSaltKey { month, .. })) if month == "2026-11"),
        "{lost:?}"
    );
    assert!(!key_of(&fixture, "2026-11").exists());
    assert_eq!(fixture.records().await.len(), 4);

    // Put back, it goes on.
    std::fs::write(key_of(&fixture, "2026-11"), key).expect("written");
    crate::support::private(&key_of(&fixture, "2026-11"));
    appender
        .append(STREAM, vec![months_later(4, 3)])
        .await
        .expect("appended");
}

#[tokio::test]
async fn what_was_signed_is_never_replayed_with_another_key() {
    let mut fixture = Fixture::new().await;
    fixture.keyring = Keyring::open(fixture.keyring.folder(), drawn).expect("the keys open");
    let mut appender = fixture.appender().await;
    // Heads of three positions were let out; the database has one. Its next month's key is not there.
    appender.signed_up_to(3);
    let replay = appender.append(STREAM, vec![months_later(1, 3)]).await;
    assert!(
        matches!(
            replay,
            Err(AppendError::Keys(KeyringError::NoSaltKey { .. }))
        ),
        "{replay:?}"
    );
    assert!(!key_of(&fixture, "2026-11").exists());
    appender.signed_up_to(1);
    appender
        .append(STREAM, vec![months_later(1, 3)])
        .await
        .expect("nothing of it was signed");
}

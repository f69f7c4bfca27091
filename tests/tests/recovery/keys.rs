//! Salt keys come and go with the stream's months.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tests::Installation;
use tests::program::eventually;

use crate::support::{record, unready};

/// The one month that has a key.
fn month(ledger: &Installation) -> String {
    let names = fs::read_dir(ledger.path("keys/salt")).expect("listed");
    let mut months: Vec<String> = names
        .map(|name| {
            name.expect("a name")
                .file_name()
                .into_string()
                .expect("text")
        })
        .filter_map(|name| name.strip_suffix(".key").map(str::to_owned))
        .collect();
    months.sort();
    months.pop().expect("a key")
}

#[tokio::test]
async fn a_key_goes_with_the_last_message_of_its_month() {
    let ledger = Installation::start().await;
    let old = ledger.path("keys/salt/2020-01.key");
    fs::write(&old, "00".repeat(32)).expect("written");
    fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).expect("ours");
    let status = ledger.ask(["status"]).await;
    assert_eq!(status["salt_keys"][0], "2020-01", "{status}");
    let _serving = ledger.serve().await;
    eventually("the key is destroyed", async || !old.exists()).await;
    let status = ledger.ask(["status"]).await;
    assert_eq!(
        status["salt_keys"].as_array().expect("a list").len(),
        1,
        "{status}"
    );
    assert_eq!(status["salt_keys_destroyed"][0], "2020-01", "{status}");
    eventually("it is logged", async || {
        ledger.log().contains("destroyed the salt key of 2020-01")
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_lost_is_asked_for_and_not_made_anew() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    record(&ledger, 0, 5).await;
    assert_eq!(serving.stop().await, 0);
    let month = month(&ledger);
    let path = ledger.path(&format!("keys/salt/{month}.key"));
    let key = fs::read(&path).expect("read");
    fs::remove_file(&path).expect("removed");
    let size = ledger.size().await;
    let serving = ledger.serve_unready();
    tests::feed::publish(&ledger.nats.jetstream().await, crate::support::events(5, 8)).await;
    unready(
        &ledger,
        &[
            "salt key",
            &format!("{month}.key"),
            &format!("--new-salt-key {month}"),
        ],
    )
    .await;
    assert!(!path.exists());
    assert_eq!(ledger.size().await, size);
    // From a copy of the keys.
    fs::write(&path, key).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
    ledger.reaches(size + 3).await;
    assert_eq!(serving.stop().await, 0);
    // And where there is no copy: a new one, if that is what somebody wants.
    fs::remove_file(&path).expect("removed");
    ledger.ask(["recover", "--new-salt-key", &month]).await;
    assert!(path.exists());
    let _serving = ledger.serve().await;
    record(&ledger, 8, 10).await;
    crate::support::assert_verifies(&ledger).await;
}

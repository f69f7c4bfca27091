//! What does not join is refused before anything is written.

use std::fs;

use tests::Installation;

use crate::support::{record, says, serve_and_record};

#[tokio::test]
async fn a_bundle_that_does_not_join_is_refused() {
    let mut ledger = Installation::start().await;
    let serving = ledger.serve().await;
    record(&ledger, 0, 40).await;
    ledger.ask(["export", "--all", "bundle"]).await;
    assert_eq!(serving.stop().await, 0);
    let first = ledger.database.clone();
    let size = ledger.size().await;

    // Into an empty database.
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure("ledger.example/other", "");
    let other = ledger.run(["recover", "--from", "bundle"]).await;
    assert_ne!(other.code, 0);
    says(&other, &["ledger.example/other", "ledger.example/main"]);
    ledger.configure("ledger.example/main", "");

    let events = ledger.path("bundle/events.ndjson");
    let text = fs::read_to_string(&events).expect("read");
    fs::write(
        &events,
        text.replacen("ana@example.org", "eve@example.org", 1),
    )
    .expect("written");
    let altered = ledger.run(["recover", "--from", "bundle"]).await.expect(3);
    says(&altered, &["does not verify", "nothing was written"]);
    fs::write(&events, text).expect("written");

    // Another signing key of the same name.
    let key = fs::read(ledger.path("keys/signing.key")).expect("read");
    fs::rename(ledger.path("keys"), ledger.path("our-keys")).expect("renamed");
    let missing = ledger.run(["recover", "--from", "bundle"]).await.expect(1);
    says(&missing, &["no signing key", "a copy of the keys"]);
    let stranger = Installation::start().await;
    let theirs = fs::read(stranger.path("keys/signing.key")).expect("read");
    assert_ne!(key, theirs);
    fs::copy(
        stranger.path("keys/signing.key"),
        ledger.path("keys/signing.key"),
    )
    .expect("copied");
    let foreign = ledger.run(["recover", "--from", "bundle"]).await.expect(3);
    says(&foreign, &["does not verify", "signature"]);
    fs::remove_dir_all(ledger.path("keys")).expect("removed");
    fs::rename(ledger.path("our-keys"), ledger.path("keys")).expect("renamed");

    let client = ledger.postgres.connect(&ledger.database).await;
    let heads: i64 = client
        .query_one("SELECT count(*) FROM ledger.head", &[])
        .await
        .expect("counted")
        .get(0);
    assert_eq!(heads, 0, "nothing was written");

    // A database that holds another history.
    ledger.database = first;
    ledger.configure("ledger.example/main", "");
    let client = ledger.postgres.connect(&ledger.database).await;
    let fork =
        "SET session_replication_role = replica; UPDATE ledger.head SET chain = sha256(chain)";
    client.batch_execute(fork).await.expect("a superuser may");
    let forked = ledger.run(["recover", "--from", "bundle"]).await.expect(3);
    says(&forked, &["another history", "nothing was written"]);
    assert_eq!(ledger.size().await, size);
}

#[tokio::test]
async fn init_refuses_a_stream_that_was_signed_for_without_its_keys() {
    let mut ledger = Installation::start().await;
    let size = serve_and_record(&ledger, 0, 10).await;
    ledger.database = ledger.postgres.create_database().await;
    ledger.configure("ledger.example/main", "");
    let none = ledger.run(["init", "--keys", "other-keys"]).await.expect(2);
    says(
        &none,
        &[
            &format!("a head of {size} events was signed"),
            "signing.key",
            "--keys",
            "recover --from",
        ],
    );
    // The signing key alone does not do: other salts give another chain.
    fs::copy(
        ledger.path("keys/signing.key"),
        ledger.path("other-keys/signing.key"),
    )
    .expect("copied");
    let salt = ledger.run(["init", "--keys", "other-keys"]).await.expect(2);
    says(&salt, &["was signed", "salt key", "--keys"]);
    let made: Vec<_> = fs::read_dir(ledger.path("other-keys/salt"))
        .expect("listed")
        .collect();
    assert!(made.is_empty(), "none was made anew: {made:?}");
    ledger.run(["init"]).await.expect(0);
}

//! What is taken away is checked by a program that was written from the formats' description alone.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::fs;
use std::path::Path;

use tests::program::Ran;
use tests::{Installation, binaries, feed};
use tokio::process::Command;

async fn python(script: &str, arguments: &[&str]) -> Ran {
    let script = binaries::checkout().join("tests/independent").join(script);
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .output()
        .await;
    let output = output.expect("python3 runs");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[tokio::test]
async fn the_worked_values_hold() {
    let vectors = binaries::checkout().join("tests/vectors/formats-v1.json");
    python("check_vectors.py", &[text(&vectors)])
        .await
        .expect(0);
}

#[tokio::test]
async fn a_bundle_holds_without_the_ledger_and_nothing_in_it_can_be_changed() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    feed::publish(
        &jetstream,
        feed::quarter().lines().take(40).map(str::to_owned),
    )
    .await;
    // More than one chunk and a large one, for the tree inside BLAKE3.
    for (number, length) in [1024_usize, 1025, 5000, 70_000].into_iter().enumerate() {
        let pad = "x".repeat(length);
        let event = serde_json::json!({
            "specversion": "1.0", "id": format!("large-{number}"), "source": "urn:test", "subject": "staging",
            "type": "platform.environment.updated", "data": {"labels": {"pad": pad}},
        });
        feed::publish(&jetstream, [event.to_string()]).await;
    }
    feed::send(
        &jetstream,
        [(
            feed::subject("platform.environment.updated"),
            "no JSON at all",
        )],
    )
    .await;
    let size = ledger.settles().await;
    let folder = ledger.path("bundle");
    let bundle = text(&folder);
    let too_far = ["export", bundle, "--all", "--tlog-proofs=3,100000"];
    ledger.run(too_far).await.expect(2);
    let export = ["export", bundle, "--all", "--tlog-proofs=0,3,5-7"];
    ledger.run(export).await.expect(0);
    for seq in [0, 3, 5, 6, 7] {
        assert!(folder.join(format!("{seq}.tlog-proof")).exists(), "{seq}");
    }
    // Beside the running ledger, and after it.
    let report = python("verify_bundle.py", &[bundle, "--json"])
        .await
        .expect(0)
        .json();
    assert!(report["size"].as_u64() >= Some(size), "{report}");
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());

    // The verdicts follow from what is in the bundle, too, and from nothing else.
    let judge = ["verify", "--bundle", bundle, "--rules", "-o", "json"];
    let judged = ledger.run(judge).await.expect(0).json();
    let note = judged["notes"].to_string();
    assert!(note.contains("verdicts follow from the chain"), "{note}");

    // With the ledger's key pinned, which is not in the bundle's hands.
    let keys = fs::read_to_string(folder.join("keys")).expect("keys");
    let key = keys.lines().next().expect("a key");
    python("verify_bundle.py", &[bundle, "--key", key])
        .await
        .expect(0);
    let other = "ledger.example/main+22044f0f+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
    python("verify_bundle.py", &[bundle, "--key", other])
        .await
        .expect(3);

    for name in [
        "manifest.json",
        "manifest.note",
        "checkpoint",
        "events.ndjson",
        "6.tlog-proof",
    ] {
        let path = folder.join(name);
        let whole = fs::read(&path).expect("read");
        for at in [10, whole.len() / 2, whole.len() - 10] {
            let mut changed = whole.clone();
            changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
            fs::write(&path, &changed).expect("written");
            let ran = python("verify_bundle.py", &[bundle, "--key", key]).await;
            assert_eq!(ran.code, 3, "byte {at} of {name}: {} {}", ran.out, ran.err);
            let ours = ledger
                .run(["verify", "--bundle", bundle, "--key", key])
                .await;
            assert_ne!(
                ours.code, 0,
                "byte {at} of {name}: {} {}",
                ours.out, ours.err
            );
        }
        fs::write(&path, &whole).expect("put back");
    }
    python("verify_bundle.py", &[bundle, "--key", key])
        .await
        .expect(0);
}

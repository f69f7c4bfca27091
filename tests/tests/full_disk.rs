//! A disk without room: what cannot be kept whole is not kept, and it is said.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tests::feed;
use tests::program::binary;

/// Publishes to nobody, with room for files of so many blocks.
fn publish(folder: &Path, blocks: &str) -> Output {
    // The signal that a file is too large is ignored, so that writing fails as it does on a full disk.
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" publish events.ndjson");
    let ran = Command::new("sh")
        .args(["-c", &limited])
        .arg(binary())
        .current_dir(folder)
        .env("LEDGER_NATS_URL", "nats://127.0.0.1:1")
        .env("LEDGER_PUBLISH_SPOOL", "spool")
        .output();
    ran.expect("sh runs")
}

fn spooled(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("spool")).expect("the spool is there");
    let names = files.map(|file| file.expect("a file").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| name != "lock")
        .collect()
}

#[test]
fn the_spool_keeps_no_half_of_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("events.ndjson"), feed::quarter()).expect("written");
    let full = publish(folder, "64");
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(1), "{said}");
    assert!(said.contains("spool") && said.contains("--spool"), "{said}");
    assert_eq!(spooled(folder), [""; 0], "no draft is left");
    let roomy = publish(folder, "unlimited");
    let said = String::from_utf8_lossy(&roomy.stderr);
    assert_eq!(roomy.status.code(), Some(0), "{said}");
    assert_eq!(spooled(folder).len(), 1);
}

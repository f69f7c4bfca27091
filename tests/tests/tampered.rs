//! Whatever is changed behind the ledger's back, `ledger verify` finds it.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use serde_json::Value;
use tests::{Installation, feed};
use tokio_postgres::Client;

/// The columns of a header, and what kind of change each takes.
const HEADER: [(&str, &str); 15] = [
    ("seq", "seq"),
    ("occurred_us", "bigint"),
    ("recorded_us", "bigint"),
    ("stream_seq", "bigint"),
    ("data_commitment", "bytea"),
    ("event_hash", "bytea"),
    ("chain", "bytea"),
    ("source", "text"),
    ("id", "text"),
    ("event_type", "text"),
    ("subject", "text"),
    ("actor", "text"),
    ("publisher", "text"),
    ("context", "text"),
    ("stream", "text"),
];

/// A value that differs in as little as its type allows.
fn changed(column: &str, kind: &str) -> String {
    match kind {
        "bytea" => format!("set_byte({column}, 0, get_byte({column}, 0) # 1)"),
        "bigint" => format!("{column} + 1"),
        "seq" => format!("{column} + 1000000"),
        _ => format!("{column} || 'x'"),
    }
}

/// Changes as superuser with every trigger off, verifies, and puts everything back.
async fn found(ledger: &Installation, admin: &Client, table: &str, change: &str) -> Value {
    admin
        .batch_execute(&format!(
            "SET session_replication_role = replica; CREATE TABLE public.kept AS SELECT * FROM {table}; {change}"
        ))
        .await
        .unwrap_or_else(|error| panic!("{change}: {error:?}"));
    let ran = ledger.run(["verify", "-o", "json"]).await;
    admin
        .batch_execute(&format!(
            "DELETE FROM {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM public.kept; DROP TABLE public.kept"
        ))
        .await
        .unwrap_or_else(|error| panic!("putting back {table}: {error:?}"));
    let report = ran.expect(3).json();
    assert_eq!(report["ok"], false, "{change}: {report}");
    report
}

fn names(report: &Value, seq: Option<i64>) -> bool {
    let problems = report["problems"].as_array().expect("a list of problems");
    problems.iter().any(|problem| {
        let what = problem["what"].as_str().expect("what");
        assert!(
            [
                "data",
                "header",
                "chain",
                "gap",
                "tree",
                "checkpoint",
                "signature",
                "rolled_back",
                "verdict",
                "redaction",
                "stream"
            ]
            .contains(&what),
            "{problem}"
        );
        assert!(problem["detail"].is_string(), "{problem}");
        seq.is_none() || problem["seq"].as_i64() == seq
    })
}

#[tokio::test]
async fn every_column_of_every_table_is_bound() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let events = feed::quarter()
        .lines()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
    assert_eq!(serving.stop().await, 0, "{}", ledger.log());
    let admin = ledger.postgres.connect(&ledger.database).await;
    let report = ledger.ask(["verify"]).await;
    assert_eq!(report["ok"], true, "{report}");

    for (column, kind) in HEADER {
        let change = format!(
            "UPDATE ledger.event SET {column} = {} WHERE seq = 77",
            changed(column, kind)
        );
        let report = found(&ledger, &admin, "ledger.event", &change).await;
        assert!(names(&report, Some(77)), "{change}: {report}");
    }
    for column in ["salt", "data"] {
        let change = format!(
            "UPDATE ledger.body SET {column} = {} WHERE seq = 77",
            changed(column, "bytea")
        );
        let report = found(&ledger, &admin, "ledger.body", &change).await;
        assert!(names(&report, Some(77)), "{change}: {report}");
    }
    // Rows that vanish: of the header, of the data (nothing says why), of the end.
    for (table, change) in [
        ("ledger.event", "DELETE FROM ledger.event WHERE seq = 77"),
        ("ledger.body", "DELETE FROM ledger.body WHERE seq = 77"),
        (
            "ledger.event",
            "DELETE FROM ledger.event WHERE seq = (SELECT max(seq) FROM ledger.event)",
        ),
    ] {
        let report = found(&ledger, &admin, table, change).await;
        assert!(names(&report, None), "{change}: {report}");
    }
    // Data where no position is, and the last signed head gone.
    let change =
        "INSERT INTO ledger.body (seq, ledger, salt, data) SELECT seq + 1000000, ledger, salt, data
           FROM ledger.body WHERE seq = 77";
    let report = found(&ledger, &admin, "ledger.body", change).await;
    assert!(names(&report, Some(1_000_077)), "{change}: {report}");
    let change =
        "DELETE FROM ledger.checkpoint WHERE size = (SELECT max(size) FROM ledger.checkpoint)";
    let report = found(&ledger, &admin, "ledger.checkpoint", change).await;
    let mut problems = report["problems"].as_array().expect("a list").iter();
    let named = problems.any(|problem| problem["what"] == "checkpoint");
    assert!(named, "{change}: {report}");
    // What is beside the chain.
    for (table, column, kind) in [
        ("ledger.head", "chain", "bytea"),
        ("ledger.head", "size", "bigint"),
        ("ledger.checkpoint", "root", "bytea"),
        ("ledger.tile", "hashes", "bytea"),
    ] {
        let change = format!("UPDATE {table} SET {column} = {}", changed(column, kind));
        let report = found(&ledger, &admin, table, &change).await;
        assert!(names(&report, None), "{change}: {report}");
    }
    let change =
        "UPDATE ledger.checkpoint SET note = overlay(note PLACING 'AAAA' FROM length(note) - 20)";
    assert!(names(
        &found(&ledger, &admin, "ledger.checkpoint", change).await,
        None
    ));
    let report = ledger.ask(["verify"]).await;
    assert_eq!(report["ok"], true, "all of it was put back: {report}");
}

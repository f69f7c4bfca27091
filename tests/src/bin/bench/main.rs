//! How fast, beside the raw limit of the same machine in the same run. Started by `ops/bench`.
//!
//! *Ingest* is the program `ledger serve --role ingest --role seal` reading waiting messages; it counts from the
//! first commit that is seen to the last, acknowledged. Its limit is binary COPY of the very rows that it wrote, into
//! the same tables with the same indexes, in transactions of as many events (`limit`) and, for comparison, in one
//! single transaction. *Verification* is `ledger verify`, start-up included, beside COPY of both tables out.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a program that prints a table of rates"
)]

mod copy;
mod feed;
mod ingest;
mod table;
mod verify;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use tests::{Installation, Nats, Postgres, binaries};

/// The settings of the server that `ledger up` starts; `fsync` and `synchronous_commit` stay on.
const SETTINGS: [&str; 5] = [
    "shared_buffers=256MB",
    "wal_buffers=16MB",
    "wal_compression=on",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
];

/// Seconds by what was measured.
type Seconds = BTreeMap<&'static str, f64>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = env::args().skip(1);
    let rounds: usize = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("bench ROUNDS DIR EVENTS…");
    let folder = PathBuf::from(arguments.next().expect("bench ROUNDS DIR EVENTS…"));
    let mut results = Vec::new();
    for events in arguments {
        let events: usize = events.parse().expect("a number of events");
        let mut all = Vec::new();
        for round in 1..=rounds {
            eprintln!("{events} events, round {round} of {rounds}");
            all.push(measure(&folder, events).await);
        }
        let medians: Seconds = all
            .first()
            .into_iter()
            .flatten()
            .map(|(&what, _)| (what, median(&all, what)))
            .collect();
        results.push((events, medians));
    }
    table::print(&results);
}

fn median(rounds: &[Seconds], what: &str) -> f64 {
    let mut values: Vec<f64> = rounds
        .iter()
        .filter_map(|round| round.get(what).copied())
        .collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// One round on servers of its own: every figure of the table once.
async fn measure(folder: &Path, events: usize) -> Seconds {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let postgres = Postgres::start_in(folder, &SETTINGS).await;
    let ledger = Installation::bare(postgres, nats).await;
    ledger.run(["init"]).await.expect(0);
    let last = feed::fill(&ledger, events).await;
    let admin = ledger.postgres.connect(&ledger.database).await;

    let mut seconds = Seconds::new();
    let ingest = ingest::ingest(&ledger, &admin, last, events).await;
    seconds.insert("ingest", ingest);
    let verify = verify::verify(&ledger).await;
    // The catalog's own events are verified as well, and not counted.
    let ours = events as f64 / ledger.size().await as f64;
    seconds.insert("verify", verify * ours);
    seconds.insert("copy out", verify::copy_out(&admin).await);

    let rows = copy::rows(&admin).await;
    let batches = copy::copy_in(&ledger, &admin, &rows, copy::BATCH).await;
    seconds.insert("copy in", batches);
    let one = copy::copy_in(&ledger, &admin, &rows, usize::MAX).await;
    seconds.insert("copy in, one transaction", one);
    seconds
}

//! How fast, beside the raw limit of the same machine in the same run. Started by `ops/bench`.
//!
//! *Ingest* is the program `ledger serve --role ingest --role seal` reading waiting messages; it counts from the
//! first commit that is seen to the last, acknowledged. Its limit is binary COPY of the very rows that it wrote, into
//! the same tables with the same indexes, in transactions of as many events (`copy in`) and, for comparison, in one
//! single transaction. *Verification* is `ledger verify`, start-up included, beside COPY of both tables out. *Folding* is
//! `ledger serve --role project` making the views of events of all kinds from nothing, every rule judged, beside ingest
//! of the same; *rebuilding* is `ledger rebuild` making them again beside the living ones, until they take their place.
//!
//! What is folded is drawn by the sampler: events that keep the rules but for a few, as on a real platform, or with
//! `--unruly 1000` all of them drawn without a look at the rules, which is the worst that folding has to bear.
//!
//! *Latency* is from a publisher's message to the incident on its subject, at a steady rate; it has a run of its own.
//!
//! A further measurement is a file, a line in [`measure`] and a line in `table`.
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a program that prints a table of rates, of events that happen now"
)]

mod copy;
mod feed;
mod fold;
mod ingest;
mod latency;
mod meter;
mod table;
mod verify;

use std::collections::BTreeMap;
use std::env;
use std::iter::Peekable;
use std::path::{Path, PathBuf};

use tests::{Installation, Nats, Postgres, binaries};

use crate::meter::{Meter, Spent};

/// The settings of the server that `ledger up` starts; `fsync` and `synchronous_commit` stay on.
const SETTINGS: &str = include_str!("../../../../ops/src/up/postgresql.conf");

const USAGE: &str = "bench ROUNDS DIR [--only fold] [--unruly PER_MILLE] EVENTS…, or bench ROUNDS DIR --only latency";

/// Of a thousand events that are folded, how many are drawn without a look at the rules, as `ledger sample` has it.
const UNRULY: u32 = 20;

/// One measurement of one round.
#[derive(Debug)]
struct Figure {
    seconds: f64,
    spent: Spent,
    /// Verdicts that an event came to, where events were judged.
    verdicts: Option<f64>,
}

/// What was measured, by its name in the table.
type Figures = BTreeMap<&'static str, Figure>;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = env::args().skip(1).peekable();
    let rounds: usize = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect(USAGE);
    let folder = PathBuf::from(arguments.next().expect(USAGE));
    let only = only(&mut arguments);
    if only.as_deref() == Some("latency") {
        return latency::measure(&folder).await;
    }
    let only_fold = only.is_some();
    let unruly = if arguments.next_if(|one| one == "--unruly").is_some() {
        let share = arguments.next().and_then(|text| text.parse().ok());
        share.filter(|share| *share <= 1000).expect(USAGE)
    } else {
        UNRULY
    };
    let mut results = Vec::new();
    for events in arguments {
        let events: usize = events.parse().expect("a number of events");
        let mut all = Vec::new();
        for round in 1..=rounds {
            eprintln!("{events} events, round {round} of {rounds}");
            let mut figures = Figures::new();
            if !only_fold {
                measure(&folder, events, &mut figures).await;
            }
            fold::measure(&folder, events, unruly, &mut figures).await;
            table::progress(events, &figures);
            all.push(figures);
        }
        results.push((events, medians(all)));
    }
    table::print(&results);
}

fn only(arguments: &mut Peekable<impl Iterator<Item = String>>) -> Option<String> {
    arguments.next_if(|one| one == "--only")?;
    let only = arguments.next().expect(USAGE);
    assert!(["fold", "latency"].contains(&only.as_str()), "{USAGE}");
    Some(only)
}

/// Of each measurement the round that took the median of time.
fn medians(rounds: Vec<Figures>) -> Figures {
    let mut by_name: BTreeMap<&'static str, Vec<Figure>> = BTreeMap::new();
    for (name, figure) in rounds.into_iter().flatten() {
        by_name.entry(name).or_default().push(figure);
    }
    let median = |mut figures: Vec<Figure>| {
        figures.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
        let middle = figures.len() / 2;
        figures.swap_remove(middle)
    };
    by_name
        .into_iter()
        .map(|(name, figures)| (name, median(figures)))
        .collect()
}

/// A server with [`SETTINGS`].
async fn server(folder: &Path) -> Postgres {
    let lines = SETTINGS.lines().filter(|line| !line.starts_with('#'));
    let settings: Vec<String> = lines.map(|line| line.replace(' ', "")).collect();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    Postgres::start_in(folder, &settings).await
}

/// One round on servers of its own: every figure of the table once.
async fn measure(folder: &Path, events: usize, figures: &mut Figures) {
    let nats = Nats::start_in(folder, &binaries::nats_server(), "").await;
    let postgres = server(folder).await;
    let ledger = Installation::bare(postgres, nats).await;
    ledger.run(["init"]).await.expect(0);
    let last = feed::fill(&ledger, events).await;
    let admin = ledger.postgres.connect(&ledger.database).await;

    let mut figure = async |name, meter: Meter, seconds| {
        let spent = meter.stop(&admin, events).await;
        let verdicts = None;
        figures.insert(
            name,
            Figure {
                seconds,
                spent,
                verdicts,
            },
        );
        Meter::start(&admin).await
    };
    let meter = Meter::start(&admin).await;
    let seconds = ingest::ingest(&ledger, &admin, last, events).await;
    let meter = figure("ingest", meter, seconds).await;
    // The catalog's own events are verified as well, and not counted.
    let ours = events as f64 / ledger.size().await as f64;
    let seconds = verify::verify(&ledger).await * ours;
    let meter = figure("verify", meter, seconds).await;
    let seconds = verify::copy_out(&admin).await;
    figure("copy out", meter, seconds).await;

    let rows = copy::rows(&admin).await;
    for (name, batch) in [
        ("copy in", copy::BATCH),
        ("copy in, one transaction", usize::MAX),
    ] {
        let mut empty = copy::empty_copy(&ledger, &admin).await;
        let meter = Meter::start(&admin).await;
        let seconds = copy::copy_in(&mut empty, &rows, batch).await;
        figure(name, meter, seconds).await;
        empty.drop(&admin).await;
    }
}

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
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tests::{Installation, Nats, Postgres, binaries};

use crate::meter::{Meter, Spent};

/// The settings of the server that `ledger up` starts; `fsync` and `synchronous_commit` stay on.
const SETTINGS: &str = include_str!("../../../../ops/src/up/postgresql.conf");

const USAGE: &str =
    "usage: ops/bench [ROUNDS [--only ingest|fold|latency] [--unruly PER_MILLE] EVENTS…]";

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

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    Ingest,
    Fold,
    Latency,
}

/// What the command line says.
struct Wanted {
    rounds: usize,
    folder: PathBuf,
    what: What,
    /// Of a thousand events that are folded, those that are drawn without a look at the rules.
    unruly: u32,
    events: Vec<usize>,
}

impl Wanted {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = || arguments.next();
        let rounds = number(next(), "rounds")?;
        let folder = PathBuf::from(next().ok_or("the folder for its servers is missing")?);
        let mut wanted = Self {
            rounds: rounds.max(1),
            folder,
            what: What::All,
            unruly: UNRULY,
            events: Vec::new(),
        };
        while let Some(argument) = next() {
            match argument.as_str() {
                "--only" => wanted.what = only(next().as_deref())?,
                "--unruly" => {
                    let share = u32::try_from(number(next(), "events of a thousand")?);
                    let share = share.ok().filter(|share| *share <= 1000);
                    wanted.unruly = share.ok_or("--unruly takes 0 to 1000")?;
                }
                _ => wanted.events.push(number(Some(argument), "events")?),
            }
        }
        if wanted.events.is_empty() && wanted.what != What::Latency {
            return Err("say how many events, e.g. 100000".to_owned());
        }
        Ok(wanted)
    }
}

fn number(text: Option<String>, of: &str) -> Result<usize, String> {
    let text = text.ok_or_else(|| format!("the number of {of} is missing"))?;
    text.parse()
        .map_err(|_| format!("`{text}` is no number of {of}"))
}

fn only(what: Option<&str>) -> Result<What, String> {
    match what {
        Some("ingest") => Ok(What::Ingest),
        Some("fold") => Ok(What::Fold),
        Some("latency") => Ok(What::Latency),
        other => {
            let other = other.unwrap_or_default();
            Err(format!(
                "--only takes ingest, fold or latency, not `{other}`"
            ))
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let wanted = match Wanted::read(env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(wrong) => {
            eprintln!("ops/bench: {wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let folder = &wanted.folder;
    if wanted.what == What::Latency {
        latency::measure(folder).await;
        return ExitCode::SUCCESS;
    }
    let mut results = Vec::new();
    for events in wanted.events {
        let mut all = Vec::new();
        for round in 1..=wanted.rounds {
            eprintln!("{events} events, round {round} of {}", wanted.rounds);
            let mut figures = Figures::new();
            if wanted.what != What::Fold {
                measure(folder, events, &mut figures).await;
            }
            if wanted.what != What::Ingest {
                fold::measure(folder, events, wanted.unruly, &mut figures).await;
            }
            table::progress(events, &figures);
            all.push(figures);
        }
        results.push((events, medians(all)));
    }
    table::print(&results);
    ExitCode::SUCCESS
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

//! `ledger publish`: events into the stream, with a spool for when NATS is away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ingest::Fate;
use ingest::publish::{self, Options, Outbound, PublishError, Status};
use projections::query;
use serde::Serialize;

use crate::app::App;
use crate::cli::text;
use crate::config::Settings;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::input::{self, Lines, Place};
use crate::output::{self, Column, Printed};

const EXAMPLES: &str = "\
Examples:
  ledger publish events.ndjson                   one CloudEvent in JSON a line
  ledger publish --wait events.ndjson            wait until each is in the chain, print its position
  my-report | ledger publish --publisher ci -    from standard input, as the publisher ci

An event that NATS cannot take now waits in the spool and goes first the next
time. Without --wait `accepted` means that NATS has the event, no more.";

const COLUMNS: &[Column] = &[
    ("line", "line"),
    ("id", "id"),
    ("status", "status"),
    ("seq", "seq"),
    ("note", "note"),
];

/// How many lines of an endless input are sent together.
const PORTION: usize = 10_000;
/// How long standard input may be silent before what has come is sent.
const SILENCE: Duration = Duration::from_millis(200);

/// Publish events
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Publish {
    /// Files of events, one `CloudEvent` in JSON a line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Whom to speak for [default: as configured, else `local`]
    #[arg(long, value_name = "NAME", value_parser = text)]
    publisher: Option<String>,
    /// Wait until each event is in the chain, and say at which position
    #[arg(long)]
    wait: bool,
    /// How long to wait after the last event, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    // The client allows 5000 without an answer.
    /// How many events may be on their way to NATS at once, 4096 at most
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..=4096))]
    in_flight: u32,
    /// Where events wait while NATS is away [default: as configured, else .ledger/spool]
    #[arg(long, value_name = "DIR", conflicts_with = "no_spool")]
    spool: Option<PathBuf>,
    /// Keep nothing when NATS is away: fail with exit 6
    #[arg(long)]
    no_spool: bool,
    /// Exit 4 where an event was quarantined
    #[arg(long, requires = "wait")]
    strict: bool,
}

#[derive(Debug, Serialize)]
struct Item<'a> {
    file: String,
    line: u64,
    id: &'a str,
    status: &'static str,
    seq: Option<u64>,
    /// Of a duplicate: the position of the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    note: Option<String>,
}

#[derive(Debug, Default)]
struct Tally {
    events: usize,
    quarantined: usize,
    unsettled: usize,
    spooled: usize,
    failed: usize,
}

impl Publish {
    /// Sends every line of every file.
    pub async fn run(self, app: &App) -> Outcome {
        let mut flags = Settings::default();
        flags.publish.publisher.clone_from(&self.publisher);
        flags.publish.spool.clone_from(&self.spool);
        let config = app.config_with(flags)?;
        let options = Options {
            nats: connect::nats_publisher(&config)?,
            ledger: config.ledger.clone(),
            in_flight: usize::try_from(self.in_flight).unwrap_or(1),
            spool: (!self.no_spool).then(|| config.spool.clone()),
            wait: self.wait.then(|| Duration::from_secs(self.timeout)),
        };
        let mut session = Session {
            options,
            publisher: config.publisher.clone(),
            rows: app
                .rows(COLUMNS)
                .unbuffered_if(self.files.iter().any(|file| is_stdin(file))),
            tally: Tally::default(),
        };
        // Opened before anything is sent: a wrong name should not be found out half-way.
        let inputs = self
            .files
            .iter()
            .map(|file| Ok((is_stdin(file), input::open(file)?)))
            .collect::<Result<Vec<_>, Failure>>()?;
        for (stdin, lines) in inputs {
            if stdin {
                session.endless(lines).await?;
            } else {
                session.file(lines).await?;
            }
        }
        let Session {
            rows,
            tally,
            options,
            ..
        } = session;
        rows.finish()?;
        conclude(&tally, &options, self.strict)
    }
}

fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

fn conclude(tally: &Tally, options: &Options, strict: bool) -> Outcome {
    if tally.events == 0 {
        output::say("nothing to publish: every line is empty");
    }
    if tally.spooled > 0 {
        let place = options
            .spool
            .as_ref()
            .map(|spool| spool.display().to_string())
            .unwrap_or_default();
        output::say(&format!(
            "NATS at {} is away: {} waiting in {place}, sent by the next ledger publish",
            options.nats.names(),
            output::counted(tally.spooled, "event")
        ));
    }
    if tally.quarantined > 0 {
        output::say(&format!(
            "{} quarantined: ledger quarantine says why, ledger check FILE beforehand",
            output::counted(tally.quarantined, "event")
        ));
    }
    if tally.failed > 0 {
        return Err(Failure::new(format!(
            "{} could not be published",
            output::counted(tally.failed, "event")
        )));
    }
    if tally.unsettled > 0 {
        let waited = options.wait.unwrap_or_default().as_secs();
        return Err(Failure::new(format!(
            "NATS has all events, but after {waited} s {} not known to be in the chain",
            match tally.unsettled {
                1 => "1 is".to_owned(),
                many => format!("{many} are"),
            }
        ))
        .mend("is ledger serve running? ledger status says what it does; longer: --timeout"));
    }
    Ok(if strict && tally.quarantined > 0 {
        Exit::Violations
    } else {
        Exit::Done
    })
}

struct Session {
    options: Options,
    publisher: schema::Name,
    rows: Printed,
    tally: Tally,
}

impl Session {
    /// A file: read while it is sent.
    async fn file(&mut self, mut lines: Lines) -> Result<(), Failure> {
        let mut broken = None;
        let mut places = Vec::new();
        let shared = std::cell::RefCell::new(&mut places);
        let items = std::iter::from_fn(|| match lines.next()? {
            Ok((place, body)) => {
                shared.borrow_mut().push(place);
                Some(Outbound::new(&self.options.ledger, &self.publisher, body))
            }
            Err(failure) => {
                broken = Some(failure);
                None
            }
        });
        let (rows, tally) = (&mut self.rows, &mut self.tally);
        let mut printed = Ok(());
        publish::publish(&self.options, items, |at, item, status| {
            let place = shared.borrow().get(at).cloned();
            if printed.is_ok() {
                printed = show(rows, tally, place, item, status);
            }
        })
        .await
        .map_err(failure)?;
        printed?;
        broken.map_or(Ok(()), Err)
    }

    /// Standard input: whoever writes to it may take pauses, and what has come is not kept waiting.
    async fn endless(&mut self, lines: Lines) -> Result<(), Failure> {
        let (give, mut take) = tokio::sync::mpsc::channel(PORTION);
        std::thread::spawn(move || {
            for line in lines {
                if give.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        loop {
            let Some(first) = take.recv().await else {
                return Ok(());
            };
            let mut portion = vec![first?];
            while portion.len() < PORTION
                && let Ok(Some(next)) = tokio::time::timeout(SILENCE, take.recv()).await
            {
                portion.push(next?);
            }
            self.portion(portion).await?;
        }
    }

    async fn portion(&mut self, portion: Vec<(Place, bytes::Bytes)>) -> Result<(), Failure> {
        let (places, bodies): (Vec<_>, Vec<_>) = portion.into_iter().unzip();
        let items: Vec<Outbound> = bodies
            .into_iter()
            .map(|body| Outbound::new(&self.options.ledger, &self.publisher, body))
            .collect();
        let (rows, tally) = (&mut self.rows, &mut self.tally);
        let mut printed = Ok(());
        publish::publish(&self.options, items, |at, item, status| {
            if printed.is_ok() {
                printed = show(rows, tally, places.get(at).cloned(), item, status);
            }
        })
        .await
        .map_err(failure)?;
        printed
    }
}

fn show(
    rows: &mut Printed,
    tally: &mut Tally,
    place: Option<Place>,
    outbound: &Outbound,
    status: Status,
) -> Result<(), Failure> {
    tally.events += 1;
    let mut item = Item {
        file: place
            .as_ref()
            .map(|place| place.file.display().to_string())
            .unwrap_or_default(),
        line: place.map_or(0, |place| place.line),
        id: outbound.id(),
        status: "accepted",
        seq: None,
        of: None,
        reason: None,
        note: None,
    };
    match status {
        Status::Accepted { .. } => {}
        Status::Settled(Fate::Recorded { seq }) => {
            item.status = "recorded";
            item.seq = Some(seq);
        }
        Status::Settled(Fate::Duplicate { of }) => {
            item.status = "duplicate";
            item.seq = of;
            item.of = of;
        }
        Status::Settled(Fate::Quarantined { seq, reason, at }) => {
            tally.quarantined += 1;
            item.status = "quarantined";
            item.seq = Some(seq);
            let words = query::refusal(Some(&reason), &at);
            item.note = Some(format!("{reason}: {words}"));
            item.reason = Some(reason);
        }
        Status::Unsettled { .. } => {
            tally.unsettled += 1;
            item.note = Some("not in the chain yet".to_owned());
        }
        Status::Spooled => {
            tally.spooled += 1;
            item.status = "spooled";
        }
        Status::Failed(why) => {
            tally.failed += 1;
            item.status = "failed";
            item.note = Some(why);
        }
    }
    rows.row(&item)
}

fn failure(error: PublishError) -> Failure {
    match error {
        PublishError::Nats(error) => error.into(),
        PublishError::Spool(error) => connect::failed(error, false)
            .mend("name another folder with --spool, or keep nothing with --no-spool"),
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        failure(error)
    }
}

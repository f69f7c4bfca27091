//! `ledger sample`: believable events from the kinds, for load and for trying things out.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use schema::Name;
use schema::sample::Sampler;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::app::{self, App};
use crate::cli::text;
use crate::config::Settings;
use crate::exit::{Exit, Failure, Outcome};
use crate::packages;

const EXAMPLES: &str = "\
Examples:
  ledger sample --count 100                                    a hundred events, one a line
  ledger sample --rate 500 | ledger publish -                  500 a second, until Ctrl-C
  ledger sample --seed 7 --count 600 --from 2026-Q3            the same quarter every time
  ledger sample --package release --count 10 | ledger check -
  ledger sample --unruly 200 | ledger publish -                every fifth event is careless

The same catalog, seed, count and period give the same bytes. What is drawn are
legal lives of entities that name one another, and nearly every event keeps the
rules: an approval comes before what it allows, by somebody else. It is not a copy
of anybody's data.";

/// Print believable events, drawn from the kinds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sample {
    /// How many events [default: no end with --rate, else 1000]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Events a second [default: as fast as possible]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// What decides the draw; another number is another run
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many of a thousand events are drawn without a look at the rules
    #[arg(long, value_name = "PER_MILLE", default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=1000))]
    unruly: u32,
    /// When the events claim to have happened: spread over this period [default: now]
    #[arg(long, value_name = "TIME", value_parser = text, conflicts_with = "rate")]
    from: Option<String>,
    /// Draw from this package; may be given more than once [default: all but `ledger`]
    #[arg(long = "package", value_name = "NAME", value_parser = text)]
    packages: Vec<String>,
    /// A folder of packages beside the built-in ones
    #[arg(long, value_name = "DIR")]
    kinds: Option<PathBuf>,
}

/// The claimed times of the events.
#[derive(Debug, Clone, Copy)]
enum Times {
    /// Each when it is printed.
    Now,
    /// Evenly over a period.
    Spread { from_us: i64, step_us: i64 },
}

impl Sample {
    /// Prints the events, one a line.
    pub async fn run(self, app: &App) -> Outcome {
        let mut flags = Settings::default();
        flags.data.kinds.clone_from(&self.kinds);
        let config = app.config_with(flags)?;
        let all = packages::all(config.kinds.as_deref())?;
        let catalog = packages::compile(&all, packages::settings(&config))?;
        let only = self
            .packages
            .iter()
            .map(|name| {
                Name::new(name).map_err(|error| Failure::usage(format!("--package: {error}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(unknown) = only
            .iter()
            .find(|name| !all.iter().any(|one| one.name() == *name))
        {
            let known: Vec<String> = all.iter().map(|one| one.name().to_string()).collect();
            let known = known.join(", ");
            return Err(Failure::usage(format!(
                "--package: there is no package `{unknown}`; there are {known}"
            )));
        }
        let mut sampler = Sampler::new(&catalog, &only, self.seed).ok_or_else(|| {
            Failure::usage("package `ledger` alone is the ledger's own: name another")
        })?;
        sampler = sampler.unruly(self.unruly);
        let count = match (self.count, self.rate) {
            (Some(count), _) => count,
            (None, Some(_)) => u64::MAX,
            (None, None) => 1000,
        };
        let times = self.times(count)?;
        let start = Instant::now();
        let mut out = io::BufWriter::with_capacity(1 << 16, io::stdout());
        for number in 0..count {
            if let Some(due) = self.due(number).filter(|due| start.elapsed() < *due) {
                out.flush()?;
                tokio::time::sleep_until(start + due).await;
            }
            let at_us = times.of(number);
            let sample = sampler.next(at_us);
            let event = event(at_us, &sample);
            writeln!(out, "{event}")?;
        }
        out.flush()?;
        Ok(Exit::Done)
    }

    fn times(&self, count: u64) -> Result<Times, Failure> {
        let Some(from) = &self.from else {
            return Ok(Times::Now);
        };
        let period = App::period("--from", from)?;
        let count = i64::try_from(count).unwrap_or(i64::MAX).max(1);
        let length = period.end_us.saturating_sub(period.start_us);
        Ok(Times::Spread {
            from_us: period.start_us,
            step_us: length / count,
        })
    }

    /// When an event is due, after the start.
    fn due(&self, number: u64) -> Option<Duration> {
        let rate = u64::from(self.rate?);
        let micros = number.saturating_mul(1_000_000) / rate;
        Some(Duration::from_micros(micros))
    }
}

impl Times {
    fn of(self, number: u64) -> i64 {
        match self {
            Self::Now => app::now_us(),
            Self::Spread { from_us, step_us } => {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                from_us.saturating_add(step_us.saturating_mul(number))
            }
        }
    }
}

fn event(at_us: i64, sample: &schema::sample::Sample) -> Value {
    let mut event = Map::new();
    event.insert("specversion".to_owned(), json!("1.0"));
    event.insert("id".to_owned(), json!(sample.id));
    event.insert("source".to_owned(), json!("urn:sample"));
    event.insert("type".to_owned(), json!(sample.event_type));
    event.insert("subject".to_owned(), json!(sample.subject));
    event.insert("authid".to_owned(), json!(sample.actor));
    event.insert("time".to_owned(), json!(schema::time::format_us(at_us)));
    event.insert("data".to_owned(), sample.data.clone());
    Value::Object(event)
}

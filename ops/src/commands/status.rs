//! `ledger status`: where everything stands.

use std::time::Duration;

use clap::Args;
use ingest::heads;
use ingest::nats::Connection;
use ledger::checkpoint::Checkpoint;
use ledger::head::Head;
use ledger::read::Reader;
use serde::Serialize;

use crate::app::{self, App};
use crate::config::Config;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  ledger status                 positions, lag and rates
  ledger status --watch 2       again every two seconds
  ledger status -o json | jq .pending";

/// Show positions, lag and rates
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Status {
    /// Again every so many seconds, until interrupted
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
        value_parser = clap::value_parser!(u64).range(1..))]
    watch: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Standing {
    ledger: String,
    origin: String,
    /// How many positions the chain has.
    size: u64,
    chain: String,
    recorded_at: String,
    stream: String,
    stream_seq: u64,
    /// The last number of the stream.
    stream_last: Option<u64>,
    /// Messages of the stream without a position.
    pending: Option<u64>,
    /// Since when the oldest of them waits, in seconds.
    lag_seconds: Option<f64>,
    recorded_last_minute: u64,
    recorded_last_hour: u64,
    recorded_last_day: u64,
    sealed_size: u64,
    /// Positions that no signed head covers yet.
    unsealed: u64,
    published_head_size: Option<u64>,
    nats: String,
    postgres: String,
}

impl Status {
    /// Prints it, once or again and again.
    pub async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let connection = connect::connection(&config, "status").await?;
        loop {
            app.one(&look(&config, &reader, &connection).await?)?;
            let Some(seconds) = self.watch else {
                return Ok(Exit::Done);
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            crate::output::say("");
        }
    }
}

async fn look(
    config: &Config,
    reader: &Reader,
    connection: &Connection,
) -> Result<Standing, Failure> {
    let head = reader.head().await?;
    let now_us = app::now_us();
    let since = async |seconds: i64| -> Result<u64, Failure> {
        let then = now_us.saturating_sub(seconds.saturating_mul(1_000_000));
        Ok(head.size.saturating_sub(reader.size_as_known(then).await?))
    };
    let sealed_size = size_of(reader.last_checkpoint().await?.as_deref());
    let published = heads::last_head(connection, &config.ledger).await?;
    let stream = connection
        .js
        .get_stream(config.ledger.stream_in())
        .await
        .ok();
    let state = stream
        .as_ref()
        .map(|stream| stream.cached_info().state.clone());
    let stream_last = state.map(|state| state.last_sequence);
    let pending = stream_last.map(|last| last.saturating_sub(head.stream_seq));
    let lag_seconds = match (&stream, pending) {
        (Some(stream), Some(1..)) => oldest(stream, &head)
            .await
            .map(|us| age_seconds(us, now_us)),
        (Some(_), _) => Some(0.0),
        _ => None,
    };
    Ok(Standing {
        ledger: head.ledger.to_string(),
        origin: head.origin.clone(),
        size: head.size,
        chain: hex::encode(head.chain),
        recorded_at: schema::time::format_us(head.recorded_us),
        stream: head.stream.clone(),
        stream_seq: head.stream_seq,
        stream_last,
        pending,
        lag_seconds,
        recorded_last_minute: since(60).await?,
        recorded_last_hour: since(3600).await?,
        recorded_last_day: since(86_400).await?,
        sealed_size,
        unsealed: head.size.saturating_sub(sealed_size),
        published_head_size: published.map(|head| size_of(Some(&head.note))),
        nats: connect::nats(config)?.names(),
        postgres: reader.database().server().to_owned(),
    })
}

fn size_of(note: Option<&str>) -> u64 {
    note.and_then(|note| Checkpoint::parse_note(note.as_bytes()).ok())
        .map_or(0, |(head, _)| head.size)
}

/// When the oldest message without a position was stored, in microseconds.
async fn oldest(stream: &async_nats::jetstream::stream::Stream, head: &Head) -> Option<i64> {
    let message = stream
        .get_raw_message(head.stream_seq.saturating_add(1))
        .await
        .ok()?;
    i64::try_from(message.time.unix_timestamp_nanos() / 1000).ok()
}

fn age_seconds(then_us: i64, now_us: i64) -> f64 {
    Duration::from_micros(u64::try_from(now_us.saturating_sub(then_us)).unwrap_or(0)).as_secs_f64()
}

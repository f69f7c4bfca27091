//! `ledger status`: where everything stands.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use ingest::heads;
use ingest::nats::Connection;
use ledger::checkpoint::Checkpoint;
use ledger::read::Reader;
use projections::outbox::Refused;
use serde::Serialize;
use serde_json::Value;

use crate::app::{self, App};
use crate::backlog::Backlog;
use crate::commands::init;
use crate::config::Config;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::http::ask;

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
    /// How long the stream keeps a message.
    stream_max_age_seconds: Option<f64>,
    /// Messages without a position that the stream no longer has.
    expired: Option<u64>,
    recorded_last_minute: u64,
    recorded_last_hour: u64,
    recorded_last_day: u64,
    sealed_size: u64,
    /// Positions that no signed head covers yet.
    unsealed: u64,
    published_head_size: Option<u64>,
    /// When the next deadline is due that nothing has found yet.
    next_due_at: Option<String>,
    /// Verdicts that the ledger itself has refused, and that are not sent again under this catalog.
    verdicts_refused: usize,
    /// The months whose salt key is in the folder of keys.
    salt_keys: Vec<String>,
    /// The months whose salt key was destroyed, because the stream keeps no message of them.
    salt_keys_destroyed: Vec<String>,
    nats: String,
    postgres: String,
    /// Whether the process that answers at `http.listen` is ready; null where none answers.
    ready: Option<bool>,
    /// How each of its roles stands.
    roles: BTreeMap<String, String>,
    /// What somebody should look at.
    problems: Vec<String>,
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
    let backlog = Backlog::look(connection, &config.ledger, head.stream_seq).await;
    let refused = projections::outbox::refused(reader.database(), &config.ledger).await?;
    let serving = ask::readiness(config.listen, config.ledger.as_str()).await;
    let roles = serving.as_ref().map(roles).unwrap_or_default();
    let problems = problems(backlog.as_ref(), &refused, &roles, now_us);
    let months = init::keyring(config)?.salt_months()?;
    Ok(Standing {
        ledger: head.ledger.to_string(),
        origin: head.origin.clone(),
        size: head.size,
        chain: hex::encode(head.chain),
        recorded_at: schema::time::format_us(head.recorded_us),
        stream: head.stream.clone(),
        stream_seq: head.stream_seq,
        stream_last: backlog.map(|backlog| backlog.last),
        pending: backlog.map(|backlog| backlog.pending),
        lag_seconds: backlog.map(|backlog| backlog.age_seconds(now_us)),
        stream_max_age_seconds: backlog.map(|backlog| seconds(backlog.kept_us)),
        expired: backlog.map(|backlog| backlog.expired),
        recorded_last_minute: since(60).await?,
        recorded_last_hour: since(3600).await?,
        recorded_last_day: since(86_400).await?,
        sealed_size,
        unsealed: head.size.saturating_sub(sealed_size),
        salt_keys: months.kept,
        salt_keys_destroyed: months.destroyed,
        published_head_size: published.map(|head| size_of(Some(&head.note))),
        next_due_at: projections::clock::next_due_us(reader)
            .await?
            .map(schema::time::format_us),
        verdicts_refused: refused.len(),
        nats: connect::nats(config)?.names(),
        postgres: reader.database().server().to_owned(),
        ready: serving
            .as_ref()
            .and_then(|said| said.get("ready")?.as_bool()),
        roles: roles
            .into_iter()
            .map(|(role, (state, _))| (role, state))
            .collect(),
        problems,
    })
}

fn size_of(note: Option<&str>) -> u64 {
    note.and_then(|note| Checkpoint::parse_note(note.as_bytes()).ok())
        .map_or(0, |(head, _)| head.size)
}

/// The state of each role, and why.
fn roles(said: &Value) -> BTreeMap<String, (String, String)> {
    let text = |role: &Value, key: &str| {
        let text = role.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let roles = said.get("roles").and_then(Value::as_object);
    roles
        .into_iter()
        .flatten()
        .map(|(name, role)| (name.clone(), (text(role, "state"), text(role, "why"))))
        .collect()
}

fn problems(
    backlog: Option<&Backlog>,
    refused: &[Refused],
    roles: &BTreeMap<String, (String, String)>,
    now_us: i64,
) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(backlog.and_then(|backlog| backlog.complaint(now_us)));
    problems.extend(refused.iter().map(|Refused { id, seq, reason }| {
        format!("the ledger refused its own verdict {id} at position {seq}: {reason}")
    }));
    let idle = |state: &str| !matches!(state, "running" | "standby");
    problems.extend(
        roles
            .iter()
            .filter(|(_, (state, _))| idle(state))
            .map(|(role, (state, why))| format!("{role} is {state}: {why}")),
    );
    problems
}

fn seconds(us: i64) -> f64 {
    Duration::from_micros(u64::try_from(us).unwrap_or(0)).as_secs_f64()
}

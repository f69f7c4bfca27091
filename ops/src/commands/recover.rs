//! `ledger recover`: go on after NATS or the database lost what was acknowledged.

mod bundle;
mod catch_up;
mod successor;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ingest::recover::{self, RecoverError};
use ingest::streams;
use ledger::note::VerifyingKey;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::cli::text;
use crate::commands::init;
use crate::config::Config;
use crate::exit::{Exit, Failure, Outcome};
use crate::released::Released;
use crate::roles::Role;
use crate::roles::lease;
use crate::{connect, output};

const EXAMPLES: &str = "\
Which one?
  NATS lost the end of the stream, or all of it; the database is whole:
    ledger recover
  the database was lost or rolled back, and the stream still has what is missing:
    nothing: ledger serve reads it again, bit for bit (an empty database: ledger init first)
  the same, the stream no longer has it, and there is an export:
    ledger recover --from evidence.tar.zst
  the same, and there is no export either:
    ledger recover --successor ledger.example/main-2

All of them can be interrupted and run again, and none writes before it has
proved that the pieces join. ledger status, /readyz and the log of ledger serve
say which of these it is (docs/how-to/recover.md).

Examples:
  ledger recover && ledger serve
  ledger recover --from bundle --key \"ledger.example/main+4ce2b4a9+AV…\" && ledger serve";

/// Go on after NATS or the database lost what was acknowledged
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Recover {
    /// Fill an empty or shorter database from this export, a folder or a .tar.zst file, then replay the stream's rest
    #[arg(long, value_name = "BUNDLE")]
    from: Option<PathBuf>,
    /// A public key of the ledger to trust beside the one that it signs with, got from elsewhere; may be repeated
    #[arg(long, value_name = "KEY", value_parser = key, requires = "from")]
    key: Vec<VerifyingKey>,
    /// Start another log under this origin in the place of one whose end is gone everywhere; the old one is kept
    #[arg(long, value_name = "NEW-ORIGIN", value_parser = text, conflicts_with = "from")]
    successor: Option<String>,
    /// Make another salt key for this month, e.g. 2026-11, whose key was lost and is in no copy
    #[arg(long, value_name = "MONTH", value_parser = text, conflicts_with_all = ["from", "successor"])]
    new_salt_key: Option<String>,
}

fn key(text: &str) -> Result<VerifyingKey, String> {
    text.parse()
        .map_err(|error: ledger::note::KeyError| error.to_string())
}

impl Recover {
    /// Does the one that was asked for.
    pub async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        if let Some(path) = self.from {
            return Box::pin(bundle::run(app, config, path, self.key)).await;
        }
        if let Some(origin) = self.successor {
            return Box::pin(successor::run(app, config, origin)).await;
        }
        if let Some(month) = self.new_salt_key {
            init::keyring(&config)?.replace_salt_key(&month)?;
            app.one(&json!({"recovered": true, "salt_key": month}))?;
            return Ok(Exit::Done);
        }
        continue_stream(app, &config).await
    }
}

/// Makes the stream that continues.
async fn continue_stream(app: &App, config: &Config) -> Outcome {
    let reader = connect::reader(config).await?;
    let head = reader.head().await?;
    let nats = connect::nats(config)?;
    let settings = connect::stream_settings(config)?;
    let connection = connect::connection(config, "recover").await?;
    let released = Released::read(config, &connection).await?.size();
    let missing = released.saturating_sub(head.size);
    let replayable = streams::kept_in_full(&connection, &config.ledger)
        .await?
        .is_some_and(|kept| kept.has(&head.stream, head.stream_seq + 1, missing));
    if missing > 0 && !replayable {
        return Err(Failure::new(format!(
            "a head of {released} positions was signed, the database has {}, and the stream no longer has what is \
             missing: going on from here would be another history than the one that was let out",
            head.size
        ))
        .mend(
            "restore a newer backup; or fill the database from an export: ledger recover --from BUNDLE; or, if there \
             is neither: ledger recover --successor NEW-ORIGIN",
        ));
    }
    match recover::copy_stream(&nats, &config.ledger, &head, &settings).await {
        Ok(done) => {
            // Where NATS lost everything, the outgoing stream is gone as well.
            streams::ensure(&connection, &config.ledger, &head.origin, &settings).await?;
            app.one(&json!({
                "recovered": true, "from": done.from, "last": done.last, "to": done.to, "copied": done.copied,
            }))?;
            Ok(Exit::Done)
        }
        Err(why @ (RecoverError::Intact(_) | RecoverError::Unread)) => {
            output::say(&why.to_string());
            app.one(&json!({"recovered": false, "from": head.stream, "last": head.stream_seq}))?;
            Ok(Exit::Done)
        }
        Err(error) => Err(error.into()),
    }
}

/// How long to wait for the roles: PostgreSQL needs a moment to notice that whoever was interrupted is gone.
const PATIENCE: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);

/// Holds the roles that write, so that no `ledger serve` writes at the same time; refuses where one does.
async fn alone(shared: &crate::roles::Shared) -> Result<Vec<lease::Lease>, Failure> {
    let mut held = Vec::new();
    let until = Instant::now() + PATIENCE;
    for role in [Role::Ingest, Role::Seal] {
        let lease = loop {
            let lease = lease::take(shared, role).await?;
            if lease.is_some() || Instant::now() > until {
                break lease;
            }
            sleep(POLL).await;
        };
        match lease {
            Some(lease) => held.push(lease),
            None => {
                return Err(Failure::usage(format!(
                    "another process has the role {} of ledger {}",
                    role.as_str(),
                    shared.config.ledger
                ))
                .mend("stop ledger serve (or ledger up) everywhere, then run this again"));
            }
        }
    }
    Ok(held)
}

impl From<RecoverError> for Failure {
    fn from(error: RecoverError) -> Self {
        match error {
            RecoverError::Stream(error) => error.into(),
            error => connect::failed(error, false).mend("it can be run again"),
        }
    }
}

//! `ledger recover`: go on after NATS lost what it had acknowledged.

use clap::Args;
use ingest::recover::{self, RecoverError};
use serde_json::json;

use crate::app::App;
use crate::exit::{Exit, Outcome};
use crate::{connect, output};

const EXAMPLES: &str = "\
When the stream no longer holds what the ledger was read from (its server lost the end of it, or it was
made again), ledger serve stops reading and says so. This makes a stream that continues: whatever was not
read yet is copied into it, in order and with its headers, behind an event that names the old stream and its
last number. It can be interrupted and run again. A database that fell behind (restored from a backup) needs
no command: ledger serve reads again, bit for bit, what the stream still holds.

Example:
  ledger recover && ledger serve";

/// Go on after NATS lost messages that it had acknowledged
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Recover {}

impl Recover {
    /// Makes the stream that continues.
    pub async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let head = reader.head().await?;
        let nats = connect::nats(&config)?;
        let settings = connect::stream_settings(&config)?;
        match recover::copy_stream(&nats, &config.ledger, &head, &settings).await {
            Ok(done) => {
                app.one(&json!({
                    "recovered": true, "from": done.from, "last": done.last, "to": done.to, "copied": done.copied,
                }))?;
                Ok(Exit::Done)
            }
            Err(why @ (RecoverError::Intact(_) | RecoverError::Unread)) => {
                output::say(&why.to_string());
                app.one(
                    &json!({"recovered": false, "from": head.stream, "last": head.stream_seq}),
                )?;
                Ok(Exit::Done)
            }
            Err(RecoverError::Stream(error)) => Err(error.into()),
            Err(error) => Err(connect::failed(error, false).mend("it can be run again")),
        }
    }
}

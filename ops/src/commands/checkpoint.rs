//! `ledger checkpoint`: the last signed head, what the ledger cannot take back.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use ledger::checkpoint::Checkpoint as Head;
use ledger::read::Reader;
use serde_json::json;
use tokio::time::Instant;

use crate::app::App;
use crate::commands::init;
use crate::connect;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::output::{self, Format};

const EXAMPLES: &str = "\
Examples:
  ledger checkpoint              the signed note (C2SP tlog-checkpoint)
  ledger checkpoint --wait       the head that covers everything that is in the chain now
  ledger checkpoint --key        the public key, to be handed to auditors by another way
  ledger checkpoint -o json      origin, size, root (base64, as in the note) and the note";

/// How often the signed head is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Print the last signed head
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Checkpoint {
    /// Print the public key that heads are signed with
    #[arg(long)]
    key: bool,
    /// Wait for a head that covers every position of now, so many seconds at most
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30",
        value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "key")]
    wait: Option<u64>,
}

impl Checkpoint {
    /// Prints it.
    pub async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        if self.key {
            let signer = init::keyring(&config)?.signer(&reader.head().await?.origin)?;
            let key = signer.verifying_key().to_string();
            match app.format() {
                Format::Table => output::text(&format!("{key}\n"))?,
                _ => app.one(&json!({"key": key}))?,
            }
            return Ok(Exit::Done);
        }
        if let Some(seconds) = self.wait {
            wait(&reader, Duration::from_secs(seconds)).await?;
        }
        let note = reader.last_checkpoint().await?.ok_or_else(|| {
            Failure::not_found("no head is signed yet")
                .mend("ledger serve signs one every second; ledger checkpoint --wait waits for it")
        })?;
        if app.format() == Format::Table {
            output::text(&note)?;
            return Ok(Exit::Done);
        }
        let (head, _) =
            Head::parse_note(note.as_bytes()).context("the stored head cannot be read")?;
        app.one(&json!({
            "origin": head.origin,
            "size": head.size,
            "root": BASE64.encode(head.root),
            "note": note,
        }))?;
        Ok(Exit::Done)
    }
}

/// Waits until a signed head covers all that is in the chain now.
async fn wait(reader: &Reader, patience: Duration) -> Result<(), Failure> {
    let size = reader.head().await?.size;
    let began = Instant::now();
    loop {
        let note = reader.last_checkpoint().await?;
        let signed = note.and_then(|note| Head::parse_note(note.as_bytes()).ok());
        let covered = signed.map_or(0, |(head, _)| head.size);
        if covered >= size {
            return Ok(());
        }
        if began.elapsed() >= patience {
            let waited = patience.as_secs();
            return Err(Failure::new(format!(
                "after {waited} s the last signed head covers {covered} of {size} positions"
            ))
            .mend("is a process with the role seal running? ledger status says how it stands"));
        }
        tokio::time::sleep(POLL).await;
    }
}

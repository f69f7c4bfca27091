//! `ledger checkpoint`: the last signed head, what the ledger cannot take back.

use clap::Args;
use ledger::checkpoint::Checkpoint as Head;
use serde_json::json;

use crate::app::App;
use crate::commands::init;
use crate::connect;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::output::{self, Format};

const EXAMPLES: &str = "\
Examples:
  ledger checkpoint              the signed note (C2SP tlog-checkpoint)
  ledger checkpoint --key        the public key, to be handed to auditors by another way
  ledger checkpoint -o json      origin, size, root and the note";

/// Print the last signed head
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Checkpoint {
    /// Print the public key that heads are signed with
    #[arg(long)]
    key: bool,
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
        let note = reader.last_checkpoint().await?.ok_or_else(|| {
            Failure::not_found("no head is signed yet")
                .mend("ledger serve signs one every second, while events come")
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
            "root": hex::encode(head.root),
            "note": note,
        }))?;
        Ok(Exit::Done)
    }
}

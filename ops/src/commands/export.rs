//! `ledger export`: evidence to take away, enough to verify without the ledger.

use std::path::PathBuf;

use clap::Args;
use ledger::bundle::{About, BundleError, Redacted, Writer};
use ledger::checkpoint::Checkpoint;
use ledger::redaction::Coverage;
use serde_json::json;

use crate::app::{self, App};
use crate::commands::init;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::{connect, progress};

const EXAMPLES: &str = "\
Examples:
  ledger export --all bundle              a folder
  ledger export --all bundle.tar.zst      the same in one file
  ledger verify --bundle bundle --key \"$(ledger checkpoint --key)\"

The bundle holds every event below the last signed head, the head, the keys and a signed manifest.";

const PAGE: u64 = 5000;

/// Write a bundle of evidence that can be verified offline
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The folder, or the file ending in .tar.zst, that is written; it must not exist yet
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// The whole ledger, up to its last signed head
    #[arg(long, required = true)]
    all: bool,
}

impl Export {
    /// Writes the bundle; nothing is left behind where that fails.
    pub async fn run(self, app: &App) -> Outcome {
        if self.target.exists() {
            return Err(
                Failure::usage(format!("{} exists already", self.target.display()))
                    .mend("choose another name, or take it away first"),
            );
        }
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let origin = reader.head().await?.origin;
        let signer = init::keyring(&config)?.signer(&origin)?;
        let note = reader.last_checkpoint().await?.ok_or_else(|| {
            Failure::not_found("no head is signed yet, and a bundle is proved against one")
                .mend("ledger serve signs one every second, while events come")
        })?;
        let (head, _) =
            Checkpoint::parse_note(note.as_bytes()).context("the stored head cannot be read")?;
        let about = About {
            origin,
            query: json!({"all": self.all}),
            made_at: schema::time::format_us(app::now_us()),
            made_by: format!("ledger {}", env!("CARGO_PKG_VERSION")),
            checkpoint: note,
            keys: vec![signer.verifying_key().clone()],
        };
        let mut writer = Writer::create(&self.target, about)?;
        let coverage = {
            let client = reader.database().client().await?;
            Coverage::load(reader.database(), &client, reader.id()).await?
        };
        let bar = progress::bar(head.size, "exporting");
        let mut next = 0;
        while next < head.size {
            let page = reader.records(next, PAGE.min(head.size - next)).await?;
            if page.is_empty() {
                return Err(
                    Failure::with(Exit::Unproved, format!("position {next} is missing"))
                        .mend("ledger verify says what else is wrong"),
                );
            }
            for record in &page {
                let seq = record.header.seq;
                match coverage.by(seq) {
                    Some(by) if record.body.is_none() => {
                        writer.redacted(record, redacted(&reader, by).await?)?;
                    }
                    _ => writer.event(record)?,
                }
                next = seq + 1;
            }
            bar.set_position(next);
        }
        bar.finish_and_clear();
        let manifest = writer.finish(&signer)?;
        app.one(&json!({
            "bundle": self.target.display().to_string(),
            "origin": manifest.origin,
            "events": manifest.events,
            "checkpoint_size": manifest.checkpoint_size,
            "key": signer.verifying_key().to_string(),
        }))?;
        Ok(Exit::Done)
    }
}

/// Why a position has no data: the event that took it, its class and its time.
async fn redacted(reader: &ledger::read::Reader, by: u64) -> Result<Redacted, Failure> {
    let record = reader.record(by).await?;
    let data: serde_json::Value = record
        .as_ref()
        .and_then(|record| serde_json::from_slice(&record.body.as_ref()?.data).ok())
        .unwrap_or_default();
    let class = data
        .get("class")
        .and_then(|class| class.as_str())
        .unwrap_or_default();
    Ok(Redacted {
        by,
        rule: class.to_owned(),
        at: schema::time::format_us(record.map_or(0, |record| record.header.recorded_us)),
    })
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        connect::failed(error, false)
    }
}

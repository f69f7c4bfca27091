//! `ledger export`: evidence to take away, enough to verify without the ledger; and a section for a runbook.

mod markdown;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use ledger::bundle::{About, BundleError, Prover, Redacted, Writer};
use ledger::checkpoint::Checkpoint;
use ledger::redaction::{Applied, Coverage, Spot};
use serde_json::json;

use crate::app::{self, App};
use crate::cli::text;
use crate::commands::init;
use crate::exit::{Context, Exit, Failure, Outcome};
use crate::{connect, progress};

const EXAMPLES: &str = "\
Examples:
  ledger export --all bundle              a folder
  ledger export --all bundle.tar.zst      the same in one file
  ledger export --all bundle --tlog-proofs=41,57-60
  ledger export markdown                      what environments went through, for a runbook
  ledger export markdown --check runbook.md   exit 4 where that says something else
  ledger verify --bundle bundle --key \"$(ledger checkpoint --key)\"

The bundle holds every event below the last signed head, the head, the keys and
a signed manifest. The Markdown is the same for the same chain; what `--check`
prints is the data of `governance.observation.recorded`.";

const PAGE: u64 = 5000;
/// So many files in a folder are still handy.
const MOST_PROOFS: u64 = 1000;
const MOST_FILES: usize = 1000;

/// Write a bundle of evidence that can be verified offline
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Export {
    /// The folder, or the file ending in .tar.zst, that is written; it must not exist yet. `markdown`: what environments
    /// went through, printed as a section of a document
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// The whole ledger, up to its last signed head
    #[arg(long)]
    all: bool,
    /// With `markdown`: compare the section of this document with it instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    check: Option<PathBuf>,
    /// With `markdown`: up to this position
    #[arg(long, value_name = "SEQ", conflicts_with = "all")]
    at: Option<u64>,
    /// Add files of C2SP tlog-proof@v1, each a proof of its own, for these positions [without any: for all]
    #[arg(long, value_name = "POSITIONS", num_args = 0..=1, require_equals = true, default_missing_value = "all", value_parser = text)]
    tlog_proofs: Option<String>,
}

impl Export {
    /// Writes the bundle; nothing is left behind where that fails.
    pub async fn run(self, app: &App) -> Outcome {
        if !self.all && self.target.as_os_str() == "markdown" {
            return markdown::run(app, self.check.as_deref(), self.at).await;
        }
        self.check_target()?;
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let origin = reader.head().await?.origin;
        let signer = init::keyring(&config)?.signer_of(&origin)?;
        let note = reader.last_checkpoint().await?.ok_or_else(|| {
            Failure::not_found("no head is signed yet, and a bundle is proved against one")
                .mend("ledger serve signs one every second; ledger checkpoint --wait waits for it")
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
        let positions = positions(self.tlog_proofs.as_deref(), head.size)?;
        let mut prover = Prover::new(positions, head.size).context("cannot plan the proofs")?;
        let mut writer = Writer::create(&self.target, about)?;
        writer.give_up_when(app.is_told());
        let mut coverage = Coverage::read_all(&reader).await?;
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
                prover.push(record);
                let spot = Spot::from(&record.header);
                let deleted = record.body.is_none();
                if deleted && coverage.by(&spot).is_none() {
                    // Deleted since the coverage was read, and by an event that was recorded since.
                    coverage = Coverage::read_all(&reader).await?;
                }
                match coverage.by(&spot).filter(|_| deleted) {
                    Some(applied) => writer.redacted(record, redacted(applied))?,
                    None => writer.event(record)?,
                }
                next = record.header.seq + 1;
            }
            bar.set_position(next);
        }
        bar.finish_and_clear();
        for (seq, siblings) in prover.finish().context("cannot make the proofs")? {
            writer.tlog_proof(seq, &siblings)?;
        }
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

    /// Refuses what a bundle cannot be written to, before anything is read.
    fn check_target(&self) -> Result<(), Failure> {
        if !self.all || self.check.is_some() || self.at.is_some() {
            return Err(Failure::usage("it is not said what is exported")
                .mend("write `ledger export --all DIR` for a bundle of the whole ledger, or `ledger export markdown`, which has --check and --at"));
        }
        if self.target.exists() {
            return Err(
                Failure::usage(format!("{} exists already", self.target.display()))
                    .mend("choose another name, or take it away first"),
            );
        }
        let parent = self
            .target
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        match parent.filter(|parent| !parent.is_dir()) {
            None => Ok(()),
            Some(parent) => Err(Failure::usage(format!(
                "{} is no folder that is there",
                parent.display()
            ))
            .mend("make it first, or name another place for the bundle")),
        }
    }
}

/// Positions and ranges of positions with commas between, or `all`, below `size`.
fn positions(asked: Option<&str>, size: u64) -> Result<BTreeSet<u64>, Failure> {
    let asked = match asked {
        None => return Ok(BTreeSet::new()),
        Some("all") => format!("0-{}", size.saturating_sub(1)),
        Some(asked) => asked.to_owned(),
    };
    let mut found = BTreeSet::new();
    for part in asked.split(',').map(str::trim) {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.trim().parse::<u64>().map_err(|_| {
                Failure::usage(format!("--tlog-proofs: {part:?} is no position"))
                    .mend("write positions and ranges like 41,57-60")
            })
        };
        let (from, to) = (number(from)?, number(to)?);
        if to < from || to >= size {
            return Err(Failure::usage(format!(
                "--tlog-proofs: {part} does not lie in the {size} positions under the signed head"
            )));
        }
        if to - from >= MOST_PROOFS || found.len() >= MOST_FILES {
            return Err(Failure::usage(format!(
                "--tlog-proofs: more than {MOST_PROOFS} files, one a position"
            ))
            .mend("name the positions that matter; the whole bundle proves all of them"));
        }
        found.extend(from..=to);
    }
    Ok(found)
}

/// Why a position has no data: the event that took it, its class and its time.
fn redacted(applied: &Applied) -> Redacted {
    Redacted {
        by: applied.by,
        rule: applied.class.clone(),
        at: schema::time::format_us(applied.recorded_us),
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        connect::failed(error, false)
    }
}

//! `ledger verify`: recompute everything from what is stored, or from a bundle alone.

mod kept;
mod outside;
mod rules;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use ledger::bundle;
use ledger::identities;
use ledger::note::VerifyingKey;
use ledger::report::Report;
use ledger::verify::{self, Options};
use outside::Outside;

use crate::app::App;
use crate::commands::init;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};
use crate::{connect, progress};

const EXAMPLES: &str = "\
Examples:
  ledger verify                    the database, and the heads that were let out
  ledger verify --bundle evidence.tar.zst --key \"ledger.example/main+4ce2b4a9+AV…\"
  ledger verify --against last-year.tar.zst    also a head, or a bundle, kept from before
  ledger verify --deep             also the keys that tell a repeated event from a new one
  ledger verify --rules            also every verdict: judges the whole chain anew
  ledger verify -o json | jq '.problems[]'

Exit 0 where everything holds, 3 where anything does not; every problem names
its position.";

/// Recompute the whole chain and compare it with what is stored and signed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// A bundle, a folder or a .tar.zst file, instead of the database; needs no server
    #[arg(long, value_name = "PATH")]
    bundle: Option<PathBuf>,
    /// A public key to trust, got from elsewhere; may be repeated
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Vec<VerifyingKey>,
    /// A signed head that you kept from before, or a bundle with one: what is verified must continue it. May be repeated
    #[arg(long, value_name = "PATH")]
    against: Vec<PathBuf>,
    /// Also whether the table of identities holds every event's and no other; nothing that is signed rests on it
    #[arg(long, conflicts_with = "bundle")]
    deep: bool,
    /// Also every verdict: judge the whole chain anew and name what was added, dropped or softened. Needs memory for
    /// the states of all entities
    #[arg(long)]
    rules: bool,
}

fn key(text: &str) -> Result<VerifyingKey, String> {
    text.parse()
        .map_err(|error: ledger::note::KeyError| error.to_string())
}

impl Verify {
    /// Verifies and says what was found.
    pub async fn run(self, app: &App) -> Outcome {
        let kept = kept::heads(&self.against)?;
        let report = match self.bundle {
            Some(path) => offline(path, self.key, kept, self.rules).await?,
            None => online(app, self.key, kept, self.deep, self.rules).await?,
        };
        print(app, &report)?;
        Ok(if report.ok {
            Exit::Done
        } else {
            Exit::Unproved
        })
    }
}

/// Verifies the database, with the heads that were let out: the file's, and the stream's where NATS answers.
async fn online(
    app: &App,
    mut keys: Vec<VerifyingKey>,
    kept: Vec<String>,
    deep: bool,
    rules: bool,
) -> Result<Report, Failure> {
    let config = app.config()?;
    let reader = connect::reader(&config).await?;
    let head = reader.head().await?;
    if keys.is_empty() {
        // The keys that this machine signs with; an auditor pins their own.
        let signer = init::keyring(&config)?.signer_of(&head.origin)?;
        keys.push(signer.verifying_key().clone());
    }
    let outside = Outside::look(&config, &reader, &head).await?;
    let mut released = outside.heads.clone();
    released.extend(kept);
    let options = Options {
        segments: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        keys,
        released,
    };
    let bar = progress::bar(head.size, "verifying");
    let (db, shown) = (reader.database().clone(), bar.clone());
    let ledger = config.ledger.clone();
    let verified = tokio::task::spawn_blocking(move || {
        verify::verify(&db, &config.ledger, &options, &|done| {
            shown.set_position(done);
        })
    })
    .await;
    bar.finish_and_clear();
    let report =
        verified.map_err(|error| Failure::new("the verification broke off").because(error))?;
    let mut report = report.map_err(|error| {
        let away = error.is_unavailable();
        connect::failed(error, away)
    })?;
    outside.tell(&mut report);
    if deep {
        let bar = progress::bar(head.size, "comparing identities");
        let count = |done| bar.set_position(done);
        identities::verify(reader.database(), &ledger, &mut report, &count).await?;
        bar.finish_and_clear();
    }
    if rules {
        rules::of_database(&reader, &ledger, &mut report).await?;
    }
    Ok(report)
}

/// Verifies a bundle; files are read, so it runs where it may block.
async fn offline(
    path: PathBuf,
    keys: Vec<VerifyingKey>,
    kept: Vec<String>,
    rules: bool,
) -> Result<Report, Failure> {
    if !path.exists() {
        return Err(Failure::not_found(format!(
            "there is no bundle {}",
            path.display()
        )));
    }
    let verified = tokio::task::spawn_blocking(move || {
        let mut report = verify_bundle(&path, &keys, &kept)?;
        if rules {
            rules::of_bundle(&path, &mut report)?;
        }
        Ok(report)
    })
    .await;
    verified.map_err(|error| Failure::new("the verification broke off").because(error))?
}

fn verify_bundle(path: &Path, keys: &[VerifyingKey], kept: &[String]) -> Result<Report, Failure> {
    let bar = progress::bar(0, "verifying");
    let report = bundle::verify_against(path, keys, kept, &|done| bar.set_position(done));
    bar.finish_and_clear();
    // What cannot be read as a bundle proves nothing.
    report.map_err(|error| {
        Failure::with(
            Exit::Unproved,
            format!("{} cannot be verified", path.display()),
        )
        .because(error)
    })
}

/// As JSON the report itself; for people a summary, and a line a problem.
fn print(app: &App, report: &Report) -> Result<(), Failure> {
    if app.format() != Format::Table {
        return app.one(report);
    }
    let verdict = if report.ok {
        "everything holds"
    } else {
        "THE EVIDENCE DOES NOT HOLD"
    };
    let mut text = format!(
        "{verdict}\n  positions      {}\n  signed head    {}\n  complete       {}\n  chain          {}\n  tree           {}\n",
        report.size,
        report
            .checkpoint_size
            .map_or_else(|| "none".to_owned(), |size| format!("of {size} positions")),
        if report.complete { "yes" } else { "no" },
        report.chain,
        report.root,
    );
    for problem in &report.problems {
        let place = problem
            .seq
            .map_or_else(|| "-".to_owned(), |seq| format!("position {seq}"));
        let detail = output::printable(&problem.detail);
        let _ = writeln!(text, "  ✗ {place}: {}: {detail}", problem.what);
    }
    for note in &report.notes {
        let _ = writeln!(text, "  note: {}", output::printable(note));
    }
    output::text(&text)
}

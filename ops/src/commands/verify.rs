//! `ledger verify`: recompute everything from what is stored, or from a bundle alone.

use std::path::{Path, PathBuf};

use clap::Args;
use ledger::bundle;
use ledger::note::VerifyingKey;
use ledger::report::Report;

use crate::app::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};
use crate::progress;

const EXAMPLES: &str = "\
Examples:
  ledger verify                                        the database, and the heads that were let out
  ledger verify --bundle evidence.tar.zst --key \"ledger.example/main+4ce2b4a9+AV…\"
  ledger verify -o json | jq '.problems[]'

Exit 0 where everything holds, 3 where anything does not; every problem names its position.";

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
}

fn key(text: &str) -> Result<VerifyingKey, String> {
    text.parse()
        .map_err(|error: ledger::note::KeyError| error.to_string())
}

impl Verify {
    /// Verifies and says what was found.
    pub async fn run(self, app: &App) -> Outcome {
        let report = match self.bundle {
            Some(path) => offline(path, self.key).await?,
            None => return Err(Failure::usage("verify needs --bundle")),
        };
        print(app, &report)?;
        Ok(if report.ok {
            Exit::Done
        } else {
            Exit::Unproved
        })
    }
}

/// Verifies a bundle; files are read, so it runs where it may block.
async fn offline(path: PathBuf, keys: Vec<VerifyingKey>) -> Result<Report, Failure> {
    if !path.exists() {
        return Err(Failure::not_found(format!(
            "there is no bundle {}",
            path.display()
        )));
    }
    let verified = tokio::task::spawn_blocking(move || verify_bundle(&path, &keys)).await;
    verified.map_err(|error| Failure::new("the verification broke off").because(error))?
}

fn verify_bundle(path: &Path, keys: &[VerifyingKey]) -> Result<Report, Failure> {
    let bar = progress::bar(0, "verifying");
    let report = bundle::verify(path, keys, &|done| bar.set_position(done));
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
        text.push_str(&format!(
            "  ✗ {place}: {}: {}\n",
            problem.what,
            output::printable(&problem.detail)
        ));
    }
    for note in &report.notes {
        text.push_str(&format!("  note: {}\n", output::printable(note)));
    }
    output::text(&text)
}

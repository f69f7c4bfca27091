//! `ledger rebuild`: makes the views again beside the living ones, while everything goes on.

use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use ledger::read::Reader;
use projections::ProjectError;
use projections::project::{self, Progress};
use schema::{LedgerName, Name};
use serde_json::json;
use tokio::time::Instant;

use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};
use crate::{logging, progress};

const EXAMPLES: &str = "\
Examples:
  ledger rebuild                      all views, from the chain
  ledger rebuild --package platform   entities, histories and links of one package alone
  ledger rebuild --anew               from the first position, even where one was interrupted
  ledger rebuild --compare            exit 3 where the living views say something else

Ingest and the projector go on meanwhile, and readers see the old views until
the new ones take their place in one moment. Nothing is published by a rebuild.
Interrupted, it goes on where it was when it is run again. What --compare makes is
deleted again; entities whose data was deleted are left out of it.";

const COLUMNS: &[Column] = &[
    ("view", "view"),
    ("kind", "kind"),
    ("id", "id"),
    ("living", "living"),
    ("row", "row"),
];

/// How often it is said how far it is, where nobody looks at a bar.
const SAY: Duration = Duration::from_secs(5);

/// Make the views again from the chain, beside the living ones
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Rebuild {
    /// The entities, histories and links of this package alone
    #[arg(long, value_name = "NAME", value_parser = text)]
    package: Option<String>,
    /// Begin anew where an earlier rebuild was interrupted, instead of going on
    #[arg(long)]
    anew: bool,
    /// Replace nothing: say where the living views differ from what the chain gives
    #[arg(long, conflicts_with_all = ["package", "anew"])]
    compare: bool,
}

impl Rebuild {
    /// Rebuilds, and prints of how many positions the views are then.
    pub async fn run(self, app: &App) -> Outcome {
        let package = self.package.as_deref().map(Name::new).transpose();
        let package = package.map_err(|error| Failure::usage(format!("--package: {error}")))?;
        let config = app.config()?;
        logging::start(&config, "info", app.colour_of_stderr())?;
        let reader = connect::reader(&config).await?;
        if self.compare {
            return compare(app, &reader, &config.ledger).await;
        }
        let what = project::Rebuild {
            package,
            anew: self.anew,
        };
        let mut shown = Shown::new(reader.head().await?.size);
        let rebuilt = project::rebuild(reader.database(), &config.ledger, &what, |now| {
            shown.tell(now);
        })
        .await;
        shown.bar.finish_and_clear();
        let size = rebuilt?;
        let package = what.package.as_ref().map(Name::as_str);
        match app.format() {
            Format::Table => {
                let what = package.map_or("all views", |name| name);
                output::text(&format!("{what} rebuilt, of {size} positions\n"))?;
            }
            _ => app.one(&json!({ "size": size, "package": package }))?,
        }
        Ok(Exit::Done)
    }
}

/// Says where the living views and those that the chain gives differ; nobody is told that they hold where they do not.
async fn compare(app: &App, reader: &Reader, ledger: &LedgerName) -> Outcome {
    let mut shown = Shown::new(reader.head().await?.size);
    let compared = project::compare(reader.database(), ledger, |now| shown.tell(now)).await;
    shown.bar.finish_and_clear();
    let (size, found) = compared?;
    let mut rows = app.rows(COLUMNS);
    for difference in &found {
        rows.row(difference)?;
    }
    rows.finish()?;
    if found.is_empty() {
        output::say(&format!(
            "the views say what follows from the chain, of {size} positions"
        ));
        return Ok(Exit::Done);
    }
    let more = found.len() >= project::MOST_DIFFERENCES;
    output::say(&format!(
        "{}{} between the living views and what the chain gives: what is living stands in the views and does not follow, \
         the others follow and are not there; ledger rebuild --anew puts it right",
        if more { "at least " } else { "" },
        output::counted(found.len(), "difference")
    ));
    Ok(Exit::Unproved)
}

/// How far it is: a bar on a terminal, log lines elsewhere.
struct Shown {
    bar: ProgressBar,
    said: Option<Instant>,
}

impl Shown {
    fn new(size: u64) -> Self {
        Self {
            bar: progress::bar(size, "rebuilding"),
            said: None,
        }
    }

    fn tell(&mut self, now: Progress) {
        let text = match now {
            Progress::From(0) => "rebuilding the views from the first position".to_owned(),
            Progress::From(seq) => format!("going on with a rebuild at position {seq}"),
            Progress::Folded(done, size) => {
                self.bar.set_length(size);
                self.bar.set_position(done);
                if self.is_early() {
                    return;
                }
                format!("rebuilt {done} of {size} positions")
            }
            Progress::Switched(size) => {
                format!("the rebuilt views are in place, of {size} positions")
            }
            Progress::Compared(size) => format!("compared, of {size} positions"),
            Progress::Swept(_) if self.is_early() => return,
            Progress::Swept(rows) => format!("deleted {rows} rows of the old views"),
        };
        if !self.bar.is_hidden() {
            self.bar.println(text);
            return;
        }
        self.said = Some(Instant::now());
        tracing::info!("{text}");
    }

    /// Whether it was said just now. On a terminal the bar says it.
    fn is_early(&self) -> bool {
        !self.bar.is_hidden() || self.said.is_some_and(|said| said.elapsed() < SAY)
    }
}

impl From<ProjectError> for Failure {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::Read(error) => error.into(),
            ProjectError::Database(error) => error.into(),
            missing @ (ProjectError::NoPackage { .. } | ProjectError::NothingLives { .. }) => {
                Self::not_found(missing.to_string())
            }
            other => connect::failed(other, false),
        }
    }
}

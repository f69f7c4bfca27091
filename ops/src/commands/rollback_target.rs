//! `ledger rollback-target`: the version that an environment could go back to.

use clap::Args;
use projections::query::{self, Rollback};
use projections::rollback::{Criteria, Mark, Marked};
use serde_json::json;

use super::filter::Moment;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  ledger rollback-target api --environment production
  ledger rollback-target . --environment staging --exclude-unstable true       the repository's root
  ledger rollback-target api --environment production --as-known yesterday -o json

It is computed and not stored. The members that it prints as JSON are the data
of an event release.rollback.target_selected: publish that when you go back, as
evidence of the decision. Every version has the states that its tags say of it:
stable, unstable, deprecated.";

const COLUMNS: &[Column] = &[
    ("version", "version"),
    ("what it is", "is"),
    ("state tags", "states"),
    ("reason", "reason"),
];

/// Find the version that an environment could go back to, by what was deployed there and how versions are marked
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RollbackTarget {
    /// The sub-project's path in the repository; `.` is its root
    #[arg(value_name = "PATH", value_parser = text)]
    path: String,
    /// The environment
    #[arg(short, long, value_name = "NAME", value_parser = text)]
    environment: String,
    /// A version that is marked stable goes before all others
    #[arg(long, value_name = "BOOLEAN", default_value_t = true, action = clap::ArgAction::Set)]
    prioritize_stable: bool,
    /// A version that is marked deprecated is no candidate
    #[arg(long, value_name = "BOOLEAN", default_value_t = true, action = clap::ArgAction::Set)]
    exclude_deprecated: bool,
    /// A version that is marked unstable is no candidate
    #[arg(long, value_name = "BOOLEAN", default_value_t = false, action = clap::ArgAction::Set)]
    exclude_unstable: bool,
    #[command(flatten)]
    moment: Moment,
}

impl RollbackTarget {
    /// Prints what was chosen and from what; exit 5 where there is nothing to go back to.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let path = self.path.trim_matches('/');
        let path = if path == "." { "" } else { path };
        let criteria = Criteria {
            prioritize_stable: self.prioritize_stable,
            exclude_deprecated: self.exclude_deprecated,
            exclude_unstable: self.exclude_unstable,
        };
        let (db, environment) = (reader.database(), self.environment.as_str());
        let found = query::rollback(db, &config.ledger, path, environment, criteria, when).await?;
        let Some(found) = found else {
            return Err(Failure::not_found(format!(
                "no version of {:?} is known to be in {environment}",
                self.path
            ))
            .mend(
                "a succeeded release.deployment tells it, or the environment's release.git_tag",
            ));
        };
        match app.format() {
            Format::Json | Format::Ndjson => app.one(&found)?,
            _ => list(app, &found)?,
        }
        let selection = &found.selection;
        if selection.target_version.is_none() {
            return Err(Failure::not_found(format!(
                "{environment} runs {}, and there is no version to go back to: {} left out",
                selection.current_version.version.full(),
                output::counted(selection.rejected_versions.len(), "version")
            )));
        }
        Ok(Exit::Done)
    }
}

fn list(app: &App, found: &Rollback) -> Result<(), Failure> {
    let selection = &found.selection;
    let mut rows = app.rows(COLUMNS);
    let mut row = |marked: &Marked, is: &str, reason: String| {
        let states: Vec<&str> = marked
            .states
            .iter()
            .map(|state| Mark::name(*state))
            .collect();
        rows.row(&json!({
            "version": marked.version.full(), "is": is, "states": states.join(", "), "reason": reason,
        }))
    };
    let told = format!("{} {}", found.based_on.kind, found.based_on.id);
    row(&selection.current_version, "current", told)?;
    for candidate in &selection.candidate_versions {
        let target = selection.target_version.as_ref() == Some(candidate);
        let is = if target { "target" } else { "candidate" };
        row(candidate, is, String::new())?;
    }
    for one in &selection.rejected_versions {
        row(&one.marked, "left out", one.reason.to_owned())?;
    }
    rows.finish()?;
    Ok(())
}

//! `ledger retention`: what is kept how long, and what will be deleted when.

use clap::{Args, Subcommand};
use ledger::redaction::{Coverage, count};
use ledger::retention::{Entry, plan};
use schema::retention::Retentions;
use schema::time::format_us;
use serde_json::{Value, json};

use super::catalog::from_chain;
use crate::app::{self, App};
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  ledger retention classes                how long each kind's data is kept
  ledger retention plan                   what will be deleted when, and what a hold stops
  ledger retention plan -o json           with the positions

Stages: `later` its time is not over, `due` it is, `scheduled` announced,
`requested` somebody asked for it, `applied` named by an event that deletes, and
still there.";

const PLAN: &[Column] = &[
    ("stage", "stage"),
    ("class", "class"),
    ("positions", "positions"),
    ("from", "from"),
    ("to", "to"),
    ("not before", "not_before"),
    ("by", "by"),
    ("held", "held"),
    ("holds", "holds"),
    ("waits for", "waits_for"),
];

const CLASSES: &[Column] = &[
    ("kind", "kind"),
    ("kept", "kept"),
    ("at least", "least"),
    ("rows", "rows"),
];

/// Show how long data is kept, and what will be deleted when
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Retention {
    #[command(subcommand)]
    command: Inner,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// Show what will be deleted when, and what a hold stops; from the database alone
    #[command(
        after_help = "Examples:\n  ledger retention plan\n  ledger retention plan -o json | jq '.[] | select(.stage == \"due\")'"
    )]
    Plan,
    /// Show how long the data of each kind's events is kept, by the active settings
    #[command(
        after_help = "Examples:\n  ledger retention classes\n  ledger retention classes -o csv"
    )]
    Classes,
}

impl Retention {
    /// Prints what was asked for.
    pub async fn run(self, app: &App) -> Outcome {
        let reader = connect::reader(&app.config()?).await?;
        let (catalog, _) = from_chain(&reader, u64::MAX).await?.ok_or_else(|| {
            Failure::not_found("no catalog is active yet").mend("ledger init publishes one")
        })?;
        let retentions = catalog.retentions();
        match self.command {
            Inner::Classes => classes(app, retentions),
            Inner::Plan => {
                let coverage = Coverage::read_all(&reader).await?;
                let entries = plan(&reader, &coverage, retentions, app::now_us()).await?;
                let mut rows = app.rows(PLAN);
                for entry in &entries {
                    rows.row(&shown(app, entry))?;
                }
                rows.finish()?;
                if entries.is_empty() {
                    output::say("nothing is to be deleted");
                }
                Ok(Exit::Done)
            }
        }
    }
}

fn classes(app: &App, retentions: &Retentions) -> Outcome {
    let mut rows = app.rows(CLASSES);
    let people = matches!(app.format(), Format::Table | Format::Csv | Format::Markdown);
    for (kind, kept) in retentions.all() {
        let of_seeds = if people {
            json!(kept.rows.join(" "))
        } else {
            json!(kept.rows)
        };
        rows.row(&json!({
            "kind": kind.to_string(),
            "kept": kept.term.to_string(),
            "least": kept.least.to_string(),
            "rows": of_seeds,
        }))?;
    }
    rows.finish()?;
    Ok(Exit::Done)
}

fn shown(app: &App, entry: &Entry) -> Value {
    let people = matches!(app.format(), Format::Table | Format::Csv | Format::Markdown);
    let holds: Vec<&str> = entry.holds.iter().map(String::as_str).collect();
    let mut item = json!({
        "stage": entry.stage,
        "class": entry.class,
        "positions": count(&entry.ranges),
        "from": entry.ranges.first().map(|range| range.0),
        "to": entry.ranges.last().map(|range| range.1),
        "not_before": entry.not_before_us.map(format_us),
        "by": entry.by,
        "held": entry.held,
        "holds": if people { json!(holds.join(" ")) } else { json!(holds) },
        "waits_for": entry.waits_for,
    });
    if let (false, Some(members)) = (people, item.as_object_mut()) {
        members.insert("ranges".to_owned(), json!(entry.ranges));
    }
    item
}

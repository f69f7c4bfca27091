//! `ledger violations`: which rules were broken, by what, and what became of it.

use clap::Args;
use projections::query::{self, ViolationStatus, Which};
use schema::KindName;

use super::catalog::kind_name;
use super::state::Moment;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger violations --status open
  ledger violations --kind platform.environment --id production
  ledger violations --severity error --assert-none    exit 4 if there is any: for a pipeline's gate";

const COLUMNS: &[Column] = &[
    ("seq", "seq"),
    ("severity", "severity"),
    ("status", "status"),
    ("rule", "rule"),
    ("kind", "kind"),
    ("id", "id"),
    ("cause", "cause_seq"),
    ("message", "message"),
];

const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

/// Show which rules were broken
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Violations {
    /// About entities of this kind
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// About the entity with this identifier
    #[arg(long, value_name = "ID", value_parser = text)]
    id: Option<String>,
    /// Of this rule
    #[arg(long, value_name = "RULE", value_parser = text)]
    rule: Option<String>,
    /// At least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = SEVERITIES)]
    severity: Option<String>,
    /// open, cleared or overridden
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Option<ViolationStatus>,
    #[command(flatten)]
    moment: Moment,
    /// Exit 4 where there is any
    #[arg(long)]
    assert_none: bool,
}

fn status(value: &str) -> Result<ViolationStatus, String> {
    value.parse()
}

fn severity_rank(severity: &str) -> usize {
    SEVERITIES
        .iter()
        .position(|one| *one == severity)
        .unwrap_or(SEVERITIES.len())
}

impl Violations {
    /// Prints them in the order of the chain.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let which = Which {
            kind: kind.as_deref(),
            id: self.id.as_deref(),
        };
        let mut found =
            query::violations(reader.database(), &config.ledger, which, self.status, when).await?;
        let least = self.severity.as_deref().map_or(0, severity_rank);
        found.retain(|row| {
            severity_rank(&row.severity) >= least
                && self.rule.as_ref().is_none_or(|rule| *rule == row.rule)
        });
        let mut rows = app.rows(COLUMNS);
        for row in &found {
            rows.row(row)?;
        }
        rows.finish()?;
        if self.assert_none && !found.is_empty() {
            output::say(&format!(
                "{} where there should be none",
                output::counted(found.len(), "violation")
            ));
            return Ok(Exit::Violations);
        }
        Ok(Exit::Done)
    }
}

//! `ledger violations`: which rules were broken, by what, and what became of it.

use clap::Args;
use projections::query::Violations as Asked;
use projections::query::{self, ViolationStatus, Which};
use schema::KindName;

use super::catalog::kind_name;
use super::filter::{Limit, Moment, Since};
use super::named::Named;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger violations --status open --since 7d
  ledger violations --kind platform.environment --id production
  ledger violations --severity error --assert-none    exit 4 if there is any";

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

pub(super) const SEVERITIES: [&str; 4] = ["info", "warning", "error", "critical"];

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
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    limit: Limit,
    /// Exit 4 where there is any
    #[arg(long)]
    assert_none: bool,
}

fn status(value: &str) -> Result<ViolationStatus, String> {
    value.parse()
}

/// This severity and those above it.
pub(super) fn at_least(severity: &str) -> &'static [&'static str] {
    let place = SEVERITIES.iter().position(|one| *one == severity);
    SEVERITIES.get(place.unwrap_or(0)..).unwrap_or_default()
}

impl Violations {
    /// Prints them in the order of the chain.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let which = Which {
            kind: kind.as_deref(),
            id: self.id.as_deref(),
        };
        let asked = Asked {
            which,
            status: self.status,
            rule: self.rule.as_deref(),
            severities: self.severity.as_deref().map(at_least),
            from: self.since.first(&reader).await?,
            limit: self.limit.most(),
        };
        let found = query::violated(reader.database(), &config.ledger, &asked, when).await?;
        if found.rows.is_empty() {
            let named = Named {
                kind: self.kind.as_ref(),
                rule: self.rule.as_deref(),
                ..Named::default()
            };
            named.must_be_known(&reader).await?;
            output::say("there is no such violation");
        }
        let mut rows = app.rows(COLUMNS);
        for row in &found.rows {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "violations");
        if self.assert_none && !found.rows.is_empty() {
            output::say(&format!(
                "{}{} where there should be none",
                if found.more { "more than " } else { "" },
                output::counted(found.rows.len(), "violation")
            ));
            return Ok(Exit::Violations);
        }
        Ok(Exit::Done)
    }
}

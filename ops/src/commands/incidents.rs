//! `ledger incidents`: what needs somebody, who looks after it, and how it ended.

mod decide;
mod link;
mod show;

use clap::{Args, Subcommand};
use projections::query::{self, IncidentRow, Incidents as Asked, When, Which};
use schema::KindName;

use super::catalog::kind_name;
use super::filter::{Limit, Moment, Since};
use super::named::Named;
use super::violations::{SEVERITIES, at_least};
use crate::app::App;
use crate::cli::text;
use crate::config::Config;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};
use decide::{Acknowledge, Resolve};
use link::Link;
use show::Show;

const EXAMPLES: &str = "\
Examples:
  ledger incidents --status open                        what nobody looks after yet
  ledger incidents --unresolved --severity error        what is not over, at least this bad
  ledger incidents show 5d4140                          one of them; the first characters will do
  ledger incidents ack 5d4140 --note 'looking at the node pool'
  ledger incidents resolve 5d4140 --how 'node replaced' --wait
  ledger incidents link 5d4140 INC-311 --url https://tickets.example/INC-311

Whoever acknowledges or resolves publishes an event, as a publisher that the
settings name in `operators`.";

const COLUMNS: &[Column] = &[
    ("incident", "incident"),
    ("severity", "severity"),
    ("status", "status"),
    ("class", "class"),
    ("kind", "kind"),
    ("id", "id"),
    ("opened", "opened_at"),
    ("acknowledged", "acknowledged_by"),
    ("causes", "causes"),
];

const STATUSES: [&str; 3] = ["open", "acknowledged", "resolved"];

/// Show incidents, acknowledge and resolve them, and link tickets
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Incidents {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(List),
    Show(Show),
    Ack(Acknowledge),
    Resolve(Resolve),
    Link(Link),
}

/// List incidents
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ledger incidents list --unresolved --severity error\n  ledger incidents list --class environment_degraded --since 7d -o json\n  ledger incidents list --as-known 2026-Q3      what was known at its end"
)]
struct List {
    /// open, acknowledged or resolved
    #[arg(long, value_name = "STATUS", value_parser = STATUSES)]
    status: Option<String>,
    /// Those that are not resolved
    #[arg(long, conflicts_with = "status")]
    unresolved: bool,
    /// Of this class
    #[arg(long, value_name = "CLASS", value_parser = text)]
    class: Option<String>,
    /// At least this severe
    #[arg(long, value_name = "SEVERITY", value_parser = SEVERITIES)]
    severity: Option<String>,
    /// About entities of this kind
    #[arg(long, value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// About the entity with this identifier
    #[arg(long, value_name = "ID", value_parser = text)]
    id: Option<String>,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    limit: Limit,
}

impl Incidents {
    /// Does it; without an action it lists.
    pub async fn run(self, app: &App) -> Outcome {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run(app).await,
            Action::Show(show) => show.run(app).await,
            Action::Ack(acknowledge) => acknowledge.run(app).await,
            Action::Resolve(resolve) => resolve.run(app).await,
            Action::Link(link) => link.run(app).await,
        }
    }
}

impl List {
    async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let status = self.status.as_deref();
        let statuses = match status {
            Some(status) => Some(vec![status]),
            None if self.unresolved => Some(vec!["open", "acknowledged"]),
            None => None,
        };
        let asked = Asked {
            which: Which {
                kind: kind.as_deref(),
                id: self.id.as_deref(),
            },
            incident: None,
            class: self.class.as_deref(),
            statuses: statuses.as_deref(),
            severities: self.severity.as_deref().map(at_least),
            from: self.since.first(&reader).await?,
            limit: self.limit.most(),
        };
        let found = query::incidents(reader.database(), &config.ledger, &asked, when).await?;
        if found.rows.is_empty() {
            let named = Named {
                kind: self.kind.as_ref(),
                class: self.class.as_deref(),
                ..Named::default()
            };
            named.must_be_known(&reader).await?;
            output::say("there is no such incident");
        }
        let mut rows = app.rows(COLUMNS);
        for row in &found.rows {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "incidents");
        Ok(Exit::Done)
    }
}

/// An incident's identifier, or how it begins.
pub(super) fn identifier(value: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if value.len() < 4 || value.len() > 64 || !value.bytes().all(legal) {
        return Err(
            "an incident's identifier is 64 hexadecimal digits; the first 4 or more will do"
                .to_owned(),
        );
    }
    Ok(value.to_owned())
}

/// The one incident that begins like this.
pub(super) async fn find(config: &Config, identifier: &str) -> Result<IncidentRow, Failure> {
    let reader = connect::views(config).await?;
    let asked = Asked {
        incident: Some(identifier),
        limit: Some(2),
        ..Asked::default()
    };
    let found = query::incidents(reader.database(), &config.ledger, &asked, When::Now).await?;
    let mut rows = found.rows.into_iter();
    match (rows.next(), rows.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(
            Failure::not_found(format!("there is no incident {identifier}"))
                .mend("ledger incidents lists those there are"),
        ),
        (Some(one), Some(other)) => Err(Failure::usage(format!(
            "several incidents begin with {identifier}: {} and {}",
            one.incident, other.incident
        ))
        .mend("give more of its identifier")),
    }
}

//! `ledger state`: what is, and what was.

use clap::Args;
use projections::query::{self, QueryError, States, Which};
use schema::KindName;

use super::catalog::kind_name;
use super::filter::{Limit, Past, Since};
use super::named::Named;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger state                                           everything
  ledger state platform.environment                      every environment
  ledger state platform.environment production -o json   one, with its fields
  ledger state platform.environment --as-known 2026-Q3   what was known at the end of the quarter
  ledger state platform.environment --as-of 2026-Q3      what was true then, by what is known now
  ledger state --status degraded --since 7d              in it, with an event this week";

const COLUMNS: &[Column] = &[
    ("kind", "kind"),
    ("id", "id"),
    ("status", "status"),
    ("since", "since"),
    ("seq", "seq"),
    ("attributes", "attributes"),
];

/// Show the state of entities
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct State {
    /// Of this kind, <package>.<entity>
    #[arg(value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// The entity with this identifier
    #[arg(value_name = "ID", value_parser = text)]
    id: Option<String>,
    #[command(flatten)]
    past: Past,
    /// Only those in this status
    #[arg(long, value_name = "STATUS", value_parser = text)]
    status: Option<String>,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    limit: Limit,
}

impl State {
    /// Prints the states; one entity alone as one object.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.past.when()?;
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let asked = States {
            which: Which {
                kind: kind.as_deref(),
                id: self.id.as_deref(),
            },
            status: self.status.as_deref(),
            from: self.since.first(&reader).await?,
            limit: self.limit.most(),
            ..States::default()
        };
        let named = Named {
            kind: self.kind.as_ref(),
            status: self.status.as_deref(),
            ..Named::default()
        };
        let found = query::states(reader.database(), &config.ledger, &asked, when).await?;
        if let (Some(kind), Some(id)) = (&kind, &self.id) {
            let Some(row) = found.rows.first() else {
                named.must_be_known(&reader).await?;
                return Err(missing(kind, id));
            };
            app.one(row)?;
            return Ok(Exit::Done);
        }
        if found.rows.is_empty() {
            named.must_be_known(&reader).await?;
            output::say("there is no such entity");
        }
        let mut rows = app.rows(COLUMNS);
        for row in &found.rows {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "entities");
        Ok(Exit::Done)
    }
}

/// An entity that is not there.
pub fn missing(kind: &str, id: &str) -> Failure {
    Failure::not_found(format!("there is no {kind} {id:?} here")).mend(format!(
        "ledger state {kind} lists those that are; ledger catalog list names every kind"
    ))
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let away = error.is_unavailable();
        match error {
            QueryError::Read(error) => error.into(),
            QueryError::Database(error) => error.into(),
            beyond @ QueryError::Beyond { .. } => Failure::not_found(beyond.to_string()),
            other => connect::failed(other, away),
        }
    }
}

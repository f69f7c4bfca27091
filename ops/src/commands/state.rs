//! `ledger state`, `ledger history`: what is, what was, and how it came about.

use clap::Args;
use projections::entity::Key;
use projections::query::{self, QueryError, When, Which};
use schema::KindName;

use super::catalog::kind_name;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Column;

const STATE_EXAMPLES: &str = "\
Examples:
  ledger state                                           everything
  ledger state platform.environment                      every environment
  ledger state platform.environment production -o json   one, with its fields
  ledger state platform.environment --as-known 2026-Q3   what was known at the end of the quarter
  ledger state --status degraded";

const HISTORY_EXAMPLES: &str = "\
Examples:
  ledger history platform.environment production
  ledger history platform.environment production --as-known yesterday -o markdown";

const STATE: &[Column] = &[
    ("kind", "kind"),
    ("id", "id"),
    ("status", "status"),
    ("since", "since"),
    ("seq", "seq"),
    ("attributes", "attributes"),
];

const HISTORY: &[Column] = &[
    ("seq", "seq"),
    ("occurred", "occurred_at"),
    ("type", "type"),
    ("from", "from"),
    ("to", "to"),
    ("legal", "legal"),
    ("actor", "actor"),
];

/// When: now, unless a position or a time is named.
#[derive(Debug, Clone, Args)]
pub struct Moment {
    /// What the ledger knew at this time; of a period, at its end
    #[arg(long, value_name = "TIME", value_parser = text, conflicts_with = "at")]
    as_known: Option<String>,
    /// The same by position: what it knew after this one
    #[arg(long, value_name = "SEQ")]
    at: Option<u64>,
}

impl Moment {
    /// The moment that was asked for.
    pub fn when(&self) -> Result<When, Failure> {
        Ok(match (&self.as_known, self.at) {
            (Some(text), _) => When::AsKnown(App::period("--as-known", text)?.last_us()),
            (None, Some(seq)) => When::At(seq),
            (None, None) => When::Now,
        })
    }
}

/// Show the state of entities
#[derive(Debug, Args)]
#[command(after_help = STATE_EXAMPLES)]
pub struct State {
    /// Of this kind, <package>.<entity>
    #[arg(value_name = "KIND", value_parser = kind_name)]
    kind: Option<KindName>,
    /// The entity with this identifier
    #[arg(value_name = "ID", value_parser = text)]
    id: Option<String>,
    #[command(flatten)]
    moment: Moment,
    /// Only those in this status
    #[arg(long, value_name = "STATUS", value_parser = text)]
    status: Option<String>,
}

impl State {
    /// Prints the states; one entity alone as one object.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let kind = self.kind.as_ref().map(ToString::to_string);
        let which = Which {
            kind: kind.as_deref(),
            id: self.id.as_deref(),
        };
        let mut found = query::state(reader.database(), &config.ledger, which, when).await?;
        if let Some(status) = &self.status {
            found.retain(|row| row.status.as_ref() == Some(status));
        }
        if let (Some(kind), Some(id)) = (&kind, &self.id) {
            let Some(row) = found.first() else {
                return Err(missing(kind, id));
            };
            app.one(row)?;
            return Ok(Exit::Done);
        }
        let mut rows = app.rows(STATE);
        for row in &found {
            rows.row(row)?;
        }
        rows.finish()?;
        Ok(Exit::Done)
    }
}

/// Show how the state of an entity came about
#[derive(Debug, Args)]
#[command(after_help = HISTORY_EXAMPLES)]
pub struct History {
    /// Its kind, <package>.<entity>
    #[arg(value_name = "KIND", value_parser = kind_name)]
    kind: KindName,
    /// Its identifier
    #[arg(value_name = "ID", value_parser = text)]
    id: String,
    #[command(flatten)]
    moment: Moment,
}

impl History {
    /// Prints every event of the entity.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.moment.when()?;
        let config = app.config()?;
        let reader = connect::reader(&config).await?;
        let key = Key {
            kind: self.kind.to_string(),
            id: self.id,
        };
        let found = query::history(reader.database(), &config.ledger, &key, when).await?;
        if found.is_empty() {
            return Err(missing(&key.kind, &key.id));
        }
        let mut rows = app.rows(HISTORY);
        for row in &found {
            rows.row(row)?;
        }
        rows.finish()?;
        Ok(Exit::Done)
    }
}

fn missing(kind: &str, id: &str) -> Failure {
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

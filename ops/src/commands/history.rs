//! `ledger history`: how the state of an entity came about.

use clap::Args;
use projections::entity::Key;
use projections::query;
use schema::KindName;

use super::catalog::kind_name;
use super::filter::{Limit, Past, Since};
use super::state::missing;
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::exit::{Exit, Outcome};
use crate::output::Column;

const EXAMPLES: &str = "\
Examples:
  ledger history platform.environment production
  ledger history platform.environment production --since 7d
  ledger history platform.environment production --as-known yesterday -o markdown";

const COLUMNS: &[Column] = &[
    ("seq", "seq"),
    ("occurred", "occurred_at"),
    ("type", "type"),
    ("from", "from"),
    ("to", "to"),
    ("legal", "legal"),
    ("actor", "actor"),
];

/// Show how the state of an entity came about
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct History {
    /// Its kind, <package>.<entity>
    #[arg(value_name = "KIND", value_parser = kind_name)]
    kind: KindName,
    /// Its identifier
    #[arg(value_name = "ID", value_parser = text)]
    id: String,
    #[command(flatten)]
    past: Past,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    limit: Limit,
}

impl History {
    /// Prints the events of the entity, the first one first.
    pub async fn run(self, app: &App) -> Outcome {
        let when = self.past.when()?;
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let key = Key::new(self.kind.text(), &self.id);
        let from = self.since.first(&reader).await?;
        let most = self.limit.most();
        let db = reader.database();
        let found = query::histories(db, &config.ledger, &key, from, most, when).await?;
        // With no events lately the entity may still be there.
        if found.rows.is_empty()
            && query::histories(db, &config.ledger, &key, 0, Some(1), when)
                .await?
                .rows
                .is_empty()
        {
            return Err(missing(key.kind(), key.id()));
        }
        let mut rows = app.rows(COLUMNS);
        for row in &found.rows {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "events");
        Ok(Exit::Done)
    }
}

//! `ledger show`: an entity with what it names, what names it and what is wrong with it, and references to what is not
//! there.

use clap::Args;
use projections::entity::Key;
use projections::query::{
    self, Named, NamedBy, StateRow, ViolationRow, ViolationStatus, Violations, When, Which,
};
use schema::KindName;
use serde::Serialize;
use serde_json::json;

use super::catalog::kind_name;
use super::filter::Limit;
use super::named;
use super::state::missing;
use crate::app::App;
use crate::cli::text;
use crate::config::Config;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};

const EXAMPLES: &str = "\
Examples:
  ledger show platform.environment production           with its relations and what is wrong
  ledger show platform.environment production -o json
  ledger show --dangling                                every reference to what is not there
  ledger show --dangling release.deployment             those of deployments

As JSON an entity has the keys of `ledger state`, and `names` (field, kind, id,
status, dangling) and `named_by` (kind, id, field, status), and `violations`,
those that are open, with the keys of `ledger violations`. A reference that
dangles has kind, id, field, target_kind and target_id.";

const RELATIONS: &[Column] = &[
    ("relation", "relation"),
    ("field", "field"),
    ("kind", "kind"),
    ("id", "id"),
    ("status", "status"),
];

const VIOLATIONS: &[Column] = &[
    ("severity", "severity"),
    ("rule", "rule"),
    ("cause", "cause_seq"),
    ("message", "message"),
];

const DANGLING: &[Column] = &[
    ("kind", "kind"),
    ("id", "id"),
    ("field", "field"),
    ("names", "target_kind"),
    ("which is not there", "target_id"),
];

/// Show an entity with its relations both ways and its open violations, or what is named and not there
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Show {
    /// Its kind, <package>.<entity>
    #[arg(value_name = "KIND", value_parser = kind_name, required_unless_present = "dangling")]
    kind: Option<KindName>,
    /// Its identifier
    #[arg(value_name = "ID", value_parser = text, required_unless_present = "dangling", conflicts_with = "dangling")]
    id: Option<String>,
    /// List the references to what is not there, of all entities or those of a kind
    #[arg(long)]
    dangling: bool,
    #[command(flatten)]
    limit: Limit,
}

/// An entity and its relations.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    state: &'a StateRow,
    names: &'a [Named],
    named_by: &'a [NamedBy],
    violations: &'a [ViolationRow],
}

impl Show {
    /// Prints the entity, or the references that dangle.
    pub async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        match (&self.kind, &self.id) {
            (Some(kind), Some(id)) => {
                let key = Key::new(kind.text(), id);
                self.entity(app, &config, &key).await
            }
            (kind, _) => {
                let kind = kind.as_ref().map(ToString::to_string);
                self.list_dangling(app, &config, kind.as_deref()).await
            }
        }
    }

    async fn entity(&self, app: &App, config: &Config, key: &Key) -> Outcome {
        let reader = connect::views(config).await?;
        let (db, ledger) = (reader.database(), &config.ledger);
        let which = Which {
            kind: Some(key.kind()),
            id: Some(key.id()),
        };
        let states = query::state(db, ledger, which, When::Now).await?;
        let state = states
            .first()
            .ok_or_else(|| missing(key.kind(), key.id()))?;
        let names = query::names(db, ledger, key, self.limit.most()).await?;
        let named_by = query::named_by(db, ledger, key, self.limit.most()).await?;
        let asked = Violations {
            which,
            status: Some(ViolationStatus::Open),
            limit: self.limit.most(),
            ..Violations::default()
        };
        let violations = query::violated(db, ledger, &asked, When::Now).await?;
        let shown = Shown {
            state,
            names: &names.rows,
            named_by: &named_by.rows,
            violations: &violations.rows,
        };
        match app.format() {
            Format::Json | Format::Ndjson => app.one(&shown)?,
            Format::Csv => relations(app, &shown)?,
            Format::Table | Format::Markdown => {
                app.one(state)?;
                if !shown.names.is_empty() || !shown.named_by.is_empty() {
                    output::text("\n")?;
                    relations(app, &shown)?;
                }
                if !shown.violations.is_empty() {
                    output::text("\n")?;
                    let mut rows = app.rows(VIOLATIONS);
                    for one in shown.violations {
                        rows.row(one)?;
                    }
                    rows.finish()?;
                }
            }
        }
        self.limit.say(names.more || named_by.more, "relations");
        self.limit.say(violations.more, "violations");
        Ok(Exit::Done)
    }

    async fn list_dangling(&self, app: &App, config: &Config, kind: Option<&str>) -> Outcome {
        let reader = connect::views(config).await?;
        let most = self.limit.most();
        let found = query::dangling(reader.database(), &config.ledger, kind, most).await?;
        if found.rows.is_empty() {
            let named = named::Named {
                kind: self.kind.as_ref(),
                ..named::Named::default()
            };
            named.must_be_known(&reader).await?;
            output::say("no reference dangles");
        }
        let mut rows = app.rows(DANGLING);
        for row in &found.rows {
            rows.row(row)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "references");
        Ok(Exit::Done)
    }
}

fn relations(app: &App, shown: &Shown<'_>) -> Result<(), Failure> {
    let mut rows = app.rows(RELATIONS);
    for one in shown.names {
        let status = if one.dangling {
            Some("(not there)")
        } else {
            one.status.as_deref()
        };
        rows.row(&json!({
            "relation": "names", "field": one.field, "kind": one.kind, "id": one.id, "status": status,
        }))?;
    }
    for one in shown.named_by {
        rows.row(&json!({
            "relation": "named by", "field": one.field, "kind": one.kind, "id": one.id, "status": one.status,
        }))?;
    }
    rows.finish()?;
    Ok(())
}

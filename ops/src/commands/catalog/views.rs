//! `ledger catalog views`: the views in the database that people and dashboards read.

use projections::view::{self, View};
use serde_json::{Value, json};

use super::active;
use crate::app::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};

const COLUMNS: &[Column] = &[
    ("view", "view"),
    ("kind", "kind"),
    ("columns", "columns"),
    ("what a row is", "about"),
];

/// Lists the views of the active catalog, or describes one.
pub async fn run(app: &App, name: Option<&str>, builtin: bool) -> Outcome {
    let (known, _) = active(app, builtin).await?;
    let views = view::catalog(&known);
    match name {
        Some(name) => one(app, &views, name),
        None => list(app, &views),
    }
}

fn one(app: &App, views: &[View], name: &str) -> Outcome {
    let wanted = name.strip_prefix("views.").unwrap_or(name);
    let found = views
        .iter()
        .find(|view| view.name == wanted || view.kind.as_deref() == Some(wanted));
    let Some(found) = found else {
        return Err(Failure::not_found(format!("there is no view {wanted}"))
            .mend("ledger catalog views lists them all"));
    };
    match app.format() {
        Format::Table | Format::Markdown => output::text(&view::page(found, 1))?,
        Format::Csv => {
            let mut rows = app.rows(&[("column", "name"), ("type", "type"), ("about", "about")]);
            for column in &found.columns {
                rows.row(column)?;
            }
            rows.finish()?;
        }
        Format::Json | Format::Ndjson => app.one(&described(found))?,
    }
    Ok(Exit::Done)
}

fn list(app: &App, views: &[View]) -> Outcome {
    let people = matches!(app.format(), Format::Table | Format::Csv | Format::Markdown);
    let mut rows = app.rows(COLUMNS);
    for view in views {
        let mut row = described(view);
        if people && let Some(columns) = row.get_mut("columns") {
            *columns = json!(view.columns.len());
        }
        rows.row(&row)?;
    }
    rows.finish()?;
    Ok(Exit::Done)
}

fn described(view: &View) -> Value {
    let columns: Vec<Value> = view
        .columns
        .iter()
        .map(|one| json!({"name": one.name, "type": one.column_type, "about": one.about}))
        .collect();
    json!({"view": view.name, "kind": view.kind, "about": view.about, "columns": columns})
}

//! `ledger tasks`: what somebody has to do because a deadline was missed.

use clap::{Args, Subcommand};
use projections::query::{self, StateRow, States, When, Which};
use schema::time::format_us;
use serde::Serialize;
use serde_json::{Value, json};

use super::filter::{Limit, Since};
use crate::app::App;
use crate::cli::text;
use crate::connect;
use crate::decide::Decider;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};

const EXAMPLES: &str = "\
Examples:
  ledger tasks list                                     what is to be done
  ledger tasks list --closed --class rotation_verification
  ledger tasks show 5d41402a…
  ledger tasks close 5d41402a… --how \"Verified by hand\"

A rule opens a task when something due did not happen, one of a class and an
entity at a time. Closing it is an event, by a publisher that the setting
`operators` names.";

const KIND: &str = "ledger.task";

const COLUMNS: &[Column] = &[
    ("task", "task"),
    ("status", "status"),
    ("class", "class"),
    ("kind", "kind"),
    ("id", "id"),
    ("due", "due_at"),
    ("what", "title"),
];

/// Show and close tasks: what somebody has to do because something due did not happen
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Tasks {
    #[command(subcommand)]
    command: Inner,
}

#[derive(Debug, Subcommand)]
enum Inner {
    /// List the tasks that are open
    #[command(
        after_help = "Examples:\n  ledger tasks list\n  ledger tasks list --closed --class rotation_verification --since 30d"
    )]
    List(List),
    /// Show a task
    #[command(after_help = "Examples:\n  ledger tasks show 5d41402a…")]
    Show {
        /// The task
        #[arg(value_name = "TASK", value_parser = text)]
        task: String,
    },
    /// Say that a task was done, or will not be
    #[command(
        after_help = "Examples:\n  ledger tasks close 5d41402a… --how \"Verified by hand\" --by ana@example.org"
    )]
    Close {
        /// The task
        #[arg(value_name = "TASK", value_parser = text)]
        task: String,
        /// What was done
        #[arg(long, value_name = "TEXT", value_parser = text)]
        how: Option<String>,
        #[command(flatten)]
        decider: Decider,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Those that were closed, too
    #[arg(long)]
    closed: bool,
    /// Of this class
    #[arg(long, value_name = "CLASS", value_parser = text)]
    class: Option<String>,
    #[command(flatten)]
    since: Since,
    #[command(flatten)]
    limit: Limit,
}

/// A task as it is told.
#[derive(Debug, Serialize)]
struct Item {
    task: String,
    status: Option<String>,
    class: Option<String>,
    kind: Option<String>,
    id: Option<String>,
    title: Option<String>,
    /// What was due, and when.
    due_at: Option<String>,
    /// The position that it follows from.
    cause_seq: Option<u64>,
    /// Where the event stands that opened it.
    opened_seq: u64,
    /// Where its last event stands.
    seq: u64,
    /// Since when it has its status.
    since: Option<String>,
}

impl From<&StateRow> for Item {
    fn from(row: &StateRow) -> Self {
        let text = |name: &str| {
            row.attributes
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let due_us = row.attributes.get("due_us").and_then(Value::as_i64);
        Self {
            task: row.id.clone(),
            status: row.status.clone(),
            class: text("class"),
            kind: text("kind"),
            id: text("id"),
            title: text("title"),
            due_at: due_us.map(format_us),
            cause_seq: row.attributes.get("cause_seq").and_then(Value::as_u64),
            opened_seq: row.created_seq,
            seq: row.seq,
            since: row.since.clone(),
        }
    }
}

impl Tasks {
    /// Does what was asked.
    pub async fn run(self, app: &App) -> Outcome {
        match self.command {
            Inner::List(list) => list.run(app).await,
            Inner::Show { task } => {
                app.one(&find(app, &task).await?)?;
                Ok(Exit::Done)
            }
            Inner::Close { task, how, decider } => close(app, &task, how, &decider).await,
        }
    }
}

impl List {
    async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let reader = connect::views(&config).await?;
        let asked = States {
            which: Which {
                kind: Some(KIND),
                id: None,
            },
            status: (!self.closed).then_some("open"),
            from: self.since.first(&reader).await?,
            attribute: self.class.as_deref().map(|class| ("class", class)),
            limit: self.limit.most(),
        };
        let found = query::states(reader.database(), &config.ledger, &asked, When::Now).await?;
        let items: Vec<Item> = found.rows.iter().map(Item::from).collect();
        if items.is_empty() {
            output::say("there is nothing to do");
        }
        let mut rows = app.rows(COLUMNS);
        for item in &items {
            rows.row(item)?;
        }
        rows.finish()?;
        self.limit.say(found.more, "tasks");
        Ok(Exit::Done)
    }
}

async fn find(app: &App, task: &str) -> Result<Item, Failure> {
    let config = app.config()?;
    let reader = connect::views(&config).await?;
    let asked = States {
        which: Which {
            kind: Some(KIND),
            id: Some(task),
        },
        ..States::default()
    };
    let found = query::states(reader.database(), &config.ledger, &asked, When::Now).await?;
    let task = found.rows.first().map(Item::from).ok_or_else(|| {
        Failure::not_found(format!("there is no task {task:?}"))
            .mend("ledger tasks list --closed names those that are")
    })?;
    Ok(task)
}

async fn close(app: &App, task: &str, how: Option<String>, decider: &Decider) -> Outcome {
    let found = find(app, task).await?;
    if found.status.as_deref() != Some("open") {
        let since = found.since.unwrap_or_default();
        return Err(Failure::usage(format!(
            "task {task} is closed already, since {since}"
        )));
    }
    let mut data = json!({ "task": task });
    if let (Some(how), Some(members)) = (how, data.as_object_mut()) {
        members.insert("how".to_owned(), Value::from(how));
    }
    let seq = decider
        .publish(app, "ledger.task.closed", task, &data)
        .await?;
    app.one(&json!({ "task": task, "seq": seq, "status": "closed" }))?;
    Ok(Exit::Done)
}

//! `ledger incidents show`: one incident, what caused it, and what was said of it.

use clap::Args;
use ledger::Record;
use ledger::read::Reader;
use projections::entity::Key;
use projections::query::{self, IncidentRow, NamedBy, When};
use schema::time::format_us;
use serde::Serialize;
use serde_json::{Value, json};

use super::{find, identifier};
use crate::app::App;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column, Format};

/// How many causes, and how many events of its own, are read: the last ones.
const MOST: usize = 100;

const COLUMNS: &[Column] = &[
    ("seq", "seq"),
    ("what", "what"),
    ("about", "subject"),
    ("recorded", "recorded_at"),
    ("who", "actor"),
    ("said", "said"),
];

/// Show one incident with its causes and what was said of it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ledger incidents show 5d4140\n  ledger incidents show 5d4140 -o json | jq .causes"
)]
pub(super) struct Show {
    /// Its identifier, or the first characters of it
    #[arg(value_name = "INCIDENT", value_parser = identifier)]
    incident: String,
}

/// An event that caused an incident, or that says something of it.
#[derive(Debug, Serialize)]
struct Line {
    seq: u64,
    /// `cause`, or the event's own verb.
    what: String,
    #[serde(rename = "type")]
    event_type: String,
    subject: String,
    recorded_at: String,
    actor: String,
    /// The note, or how it ended.
    said: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    incident: &'a IncidentRow,
    events: &'a [Line],
    links: &'a [NamedBy],
}

impl Show {
    /// Prints it.
    pub(super) async fn run(self, app: &App) -> Outcome {
        let config = app.config()?;
        let incident = find(&config, &self.incident).await?;
        let reader = connect::reader(&config).await?;
        let (db, ledger) = (reader.database(), &config.ledger);
        let key = Key::new("ledger.incident", incident.incident.as_str());
        let told = query::histories(db, ledger, &key, 0, None, When::Now).await?;
        let told: Vec<u64> = told.rows.iter().map(|row| row.seq).collect();
        let mut events = lines(&reader, &incident.causes, Some("cause")).await?;
        events.extend(lines(&reader, &told, None).await?);
        events.sort_by_key(|line| line.seq);
        let links = query::named_by(db, ledger, &key, None).await?;
        let shown = Shown {
            incident: &incident,
            events: &events,
            links: &links.rows,
        };
        match app.format() {
            Format::Json | Format::Ndjson => app.one(&shown)?,
            Format::Csv => timeline(app, &shown)?,
            Format::Table | Format::Markdown => {
                app.one(&incident)?;
                output::text("\n")?;
                timeline(app, &shown)?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The events at the last of these positions.
async fn lines(reader: &Reader, seqs: &[u64], what: Option<&str>) -> Result<Vec<Line>, Failure> {
    let first = seqs.len().saturating_sub(MOST);
    let records = reader
        .records_at(seqs.get(first..).unwrap_or_default())
        .await?;
    Ok(records.iter().map(|record| line(record, what)).collect())
}

fn line(record: &Record, what: Option<&str>) -> Line {
    let header = &record.header;
    let verb = header.event_type.split('.').nth(2).unwrap_or_default();
    let data: Option<Value> = record
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice(&body.data).ok());
    let text = |name: &str| data.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let said = match what {
        Some(_) => None,
        None => text("note").or_else(|| text("how")),
    };
    Line {
        seq: header.seq,
        what: what.unwrap_or(verb).to_owned(),
        event_type: header.event_type.clone(),
        subject: header.subject.clone(),
        recorded_at: format_us(header.recorded_us),
        actor: header.actor.clone(),
        said,
    }
}

fn timeline(app: &App, shown: &Shown<'_>) -> Result<(), Failure> {
    let mut rows = app.rows(COLUMNS);
    for event in shown.events {
        // A table is for people: what caused it is told by its type.
        let what = match event.what.as_str() {
            "cause" => format!("cause: {}", event.event_type),
            verb => verb.to_owned(),
        };
        rows.row(&json!({
            "seq": event.seq, "what": what, "subject": event.subject, "recorded_at": event.recorded_at,
            "actor": event.actor, "said": event.said,
        }))?;
    }
    for link in shown.links {
        rows.row(&json!({ "what": "link", "subject": format!("{} {}", link.kind, link.id) }))?;
    }
    rows.finish()?;
    Ok(())
}

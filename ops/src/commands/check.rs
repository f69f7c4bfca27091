//! `ledger check`: events against the catalog, offline, as ingest would read them.

use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use ingest::publish::Outbound;
use schema::{Catalog, EventType, LedgerName, Message, Name, Reason, Refusal};
use serde::Serialize;

use crate::app::{self, App};
use crate::cli::text;
use crate::config::Settings;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Column};
use crate::{input, packages};

const EXAMPLES: &str = "\
Examples:
  ledger check events.ndjson                     one CloudEvent a line
  terraform-report | ledger check -              from standard input
  ledger check --kinds ./kinds events.ndjson     with packages of your own

Exit 0 where the ledger would record every event, 4 where it would quarantine
one. Whether an identity is taken already (id.conflict) is known only when it
arrives.";

const COLUMNS: &[Column] = &[
    ("line", "line"),
    ("id", "id"),
    ("type", "type"),
    ("status", "status"),
    ("at", "at"),
    ("mend", "mend"),
];

/// Check events against the catalog, offline: would the ledger understand them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Check {
    /// Files of events, one `CloudEvent` in JSON a line; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The publisher that would send them [default: as configured, else `local`]
    #[arg(long, value_name = "NAME", value_parser = text)]
    publisher: Option<String>,
    /// A folder of packages beside the built-in ones
    #[arg(long, value_name = "DIR")]
    kinds: Option<PathBuf>,
    /// Show what is wrong and leave out what is right
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Serialize)]
struct Item {
    file: String,
    line: u64,
    id: String,
    #[serde(rename = "type")]
    event_type: String,
    status: &'static str,
    reason: Option<&'static str>,
    at: Option<String>,
    mend: Option<String>,
}

impl Check {
    /// Checks every line of every file.
    pub fn run(self, app: &App) -> Outcome {
        let mut flags = Settings::default();
        flags.publish.publisher.clone_from(&self.publisher);
        flags.data.kinds.clone_from(&self.kinds);
        let config = app.config_with(flags)?;
        let packages = packages::all(config.kinds.as_deref())?;
        let catalog = packages::compile(&packages, packages::settings(&config))?;
        let mut rows = app.rows(COLUMNS);
        let (mut total, mut refused) = (0_usize, 0_usize);
        for file in &self.files {
            for line in input::open(file)? {
                let (place, body) = line?;
                let item = judge(&config.ledger, &config.publisher, &catalog, body);
                let item = Item {
                    file: place.file.display().to_string(),
                    line: place.line,
                    ..item
                };
                total += 1;
                refused += usize::from(item.reason.is_some());
                if !self.quiet || item.reason.is_some() {
                    rows.row(&item)?;
                }
            }
        }
        rows.finish()?;
        if total == 0 {
            return Err(Failure::usage(
                "there is no event to check: every line is empty",
            ));
        }
        if refused == 0 {
            output::say(&format!("{}: all well", output::counted(total, "event")));
            return Ok(Exit::Done);
        }
        output::say(&format!(
            "{refused} of {} would be quarantined",
            output::counted(total, "event")
        ));
        Ok(Exit::Violations)
    }
}

/// Reads one event as ingest would, as if NATS had just taken it.
fn judge(ledger: &LedgerName, publisher: &Name, catalog: &Catalog, body: Bytes) -> Item {
    let outbound = Outbound::new(ledger, publisher, body);
    let value: serde_json::Value = serde_json::from_slice(&outbound.body).unwrap_or_default();
    let word = |name: &str| {
        value
            .get(name)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let message = Message {
        nats_subject: outbound.subject.clone(),
        headers: vec![(
            "Content-Type".to_owned(),
            Bytes::from_static(b"application/cloudevents+json"),
        )],
        body: outbound.body.clone(),
        stream_seq: 1,
        time_us: app::now_us(),
    };
    let refusal = schema::read(&message, ledger, catalog).err();
    Item {
        file: String::new(),
        line: 0,
        id: word("id"),
        event_type: word("type"),
        status: refusal
            .as_ref()
            .map_or("ok", |refusal| refusal.reason.as_str()),
        reason: refusal.as_ref().map(|refusal| refusal.reason.as_str()),
        at: refusal
            .as_ref()
            .map(|refusal| refusal.at.clone())
            .filter(|at| !at.is_empty()),
        mend: refusal.map(|refusal| mend(&refusal, &value, catalog)),
    }
}

/// What would make it an event.
fn mend(refusal: &Refusal, event: &serde_json::Value, catalog: &Catalog) -> String {
    let event_type = event
        .get("type")
        .and_then(|value| value.as_str())
        .and_then(EventType::parse);
    match refusal.reason {
        Reason::SecretSuspected => "take the secret out, and change it where it is used".into(),
        Reason::SizeExceeded => {
            "at most 512 KiB in all, 256 KiB of data, 4 KiB of further attributes".into()
        }
        Reason::EnvelopeMode => {
            "write one CloudEvent 1.0 a line, with \"specversion\": \"1.0\"".into()
        }
        Reason::JsonEncoding => "write UTF-8 without a byte order mark and without \\u0000".into(),
        Reason::JsonSyntax => "this is no JSON: look for a missing quote, comma or bracket".into(),
        Reason::JsonDepth => "nest at most 64 deep".into(),
        Reason::JsonDuplicateKey => "name every key of an object once".into(),
        Reason::JsonNumber => "write whole numbers within ±(2^63-1), others finite".into(),
        Reason::EnvelopeAttribute => attribute(&refusal.at).into(),
        Reason::EnvelopeType => "write type as <package>.<entity>.<verb>".into(),
        Reason::SubjectMismatch => "publish to the NATS subject that ends in the type".into(),
        Reason::PublisherReserved => {
            "package ledger and sources ledger: belong to the ledger".into()
        }
        Reason::SignatureInvalid => "sign it with the publisher's key".into(),
        Reason::TypeUnknown => unknown(event_type.as_ref(), catalog),
        Reason::DataInvalid => match event_type {
            Some(known) => format!("ledger catalog show {} names every field", known.kind()),
            None => "ledger catalog list names every kind".into(),
        },
        Reason::IdConflict => "give every event an id of its own".into(),
    }
}

fn attribute(name: &str) -> &'static str {
    match name {
        "specversion" => "it is \"1.0\"",
        "id" => "a text of 1 to 128 characters, of its own for every event",
        "source" => {
            "a URI reference of 1 to 512 characters, e.g. \"https://ci.example/pipelines/7\""
        }
        "subject" => "the entity's identifier, a text of 1 to 256 characters",
        "time" => "RFC 3339 with an offset, e.g. \"2026-07-01T09:30:00Z\"",
        "datacontenttype" => "\"application/json\", or leave it out",
        "data" => "a JSON object",
        "data_base64" => "write the object as it is, in `data`",
        "authid" => "who acted, a text of 1 to 256 characters",
        _ => "attribute names are [a-z0-9]+; values are texts, 32-bit whole numbers, true or false",
    }
}

fn unknown(event_type: Option<&EventType>, catalog: &Catalog) -> String {
    let Some(event_type) = event_type else {
        return "ledger catalog list names every kind".into();
    };
    match catalog.kind(event_type.kind()) {
        Some(kind)
            if kind
                .events
                .iter()
                .any(|event| event.verb.as_str() == event_type.verb().as_str()) =>
        {
            format!(
                "{} has no version {} of it",
                kind.name,
                event_type.version()
            )
        }
        Some(kind) => {
            let verbs: Vec<&str> = kind
                .events
                .iter()
                .map(|event| event.verb.as_str())
                .collect();
            format!("{} has the events {}", kind.name, verbs.join(", "))
        }
        None => format!(
            "there is no kind {}: ledger catalog list names every one",
            event_type.kind()
        ),
    }
}

//! `ledger incidents ack` and `resolve`, and how an operator's event is published.

use std::time::Duration;

use clap::Args;
use ingest::Fate;
use ingest::publish::{self, Options, Outbound, Status};
use ledger::read::Reader;
use projections::query::IncidentRow;
use schema::Activation;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{find, identifier};
use crate::app::App;
use crate::cli::text;
use crate::config::{Config, Settings};
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Column, say};

const COLUMNS: &[Column] = &[
    ("incident", "incident"),
    ("status", "status"),
    ("seq", "seq"),
    ("id", "id"),
];

/// As whom, and how long to wait.
#[derive(Debug, Args)]
pub(super) struct Publishing {
    /// Whom to publish as [default: as configured, else `local`]
    #[arg(long, value_name = "NAME", value_parser = text)]
    publisher: Option<String>,
    /// Who acts: it stands in the chain [default: the user's name here]
    #[arg(long, value_name = "WHO", value_parser = text)]
    by: Option<String>,
    /// Wait until it is in the chain, and say at which position
    #[arg(long)]
    wait: bool,
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

/// Say that somebody looks after incidents
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ledger incidents ack 5d4140 --note 'looking at the node pool'\n  ledger incidents ack 5d4140 87fe31 --by ana@example.org --wait"
)]
pub(super) struct Acknowledge {
    /// Their identifiers, or the first characters of them
    #[arg(required = true, value_name = "INCIDENT", value_parser = identifier)]
    incidents: Vec<String>,
    /// What others should know
    #[arg(long, value_name = "TEXT", value_parser = text)]
    note: Option<String>,
    #[command(flatten)]
    publishing: Publishing,
}

/// Say that incidents are over
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ledger incidents resolve 5d4140 --how 'node replaced' --wait")]
pub(super) struct Resolve {
    /// Their identifiers, or the first characters of them
    #[arg(required = true, value_name = "INCIDENT", value_parser = identifier)]
    incidents: Vec<String>,
    /// What ended it
    #[arg(long, value_name = "TEXT", value_parser = text)]
    how: Option<String>,
    #[command(flatten)]
    publishing: Publishing,
}

impl Acknowledge {
    /// Publishes that somebody looks after them.
    pub(super) async fn run(self, app: &App) -> Outcome {
        let decision = Decision {
            verb: "acknowledged",
            member: "note",
            text: self.note,
        };
        decide(app, &self.incidents, &self.publishing, &decision).await
    }
}

impl Resolve {
    /// Publishes that they are over.
    pub(super) async fn run(self, app: &App) -> Outcome {
        let decision = Decision {
            verb: "resolved",
            member: "how",
            text: self.how,
        };
        decide(app, &self.incidents, &self.publishing, &decision).await
    }
}

/// What is decided about each incident.
struct Decision {
    verb: &'static str,
    member: &'static str,
    text: Option<String>,
}

impl Decision {
    /// Whether it can be decided of an incident as it stands.
    fn check(&self, incident: &IncidentRow) -> Result<(), Failure> {
        let IncidentRow {
            incident: id,
            status,
            ..
        } = incident;
        if incident.seq.is_none() {
            return Err(Failure::new(format!(
                "the event that opens incident {id} is not in the chain yet"
            ))
            .mend("try again in a moment; ledger status says what holds it up"));
        }
        if status == "resolved" || *status == self.verb {
            let by = match status.as_str() {
                "resolved" => incident.resolved_by.as_deref().unwrap_or("a rule"),
                _ => incident.acknowledged_by.as_deref().unwrap_or_default(),
            };
            return Err(Failure::usage(format!(
                "incident {id} is {status} already, by {by}"
            )));
        }
        Ok(())
    }
}

async fn decide(
    app: &App,
    identifiers: &[String],
    publishing: &Publishing,
    decision: &Decision,
) -> Outcome {
    let config = publishing.config(app)?;
    let reader = connect::reader(&config).await?;
    is_operator(&config, &reader).await?;
    let mut events = Vec::new();
    for identifier in identifiers {
        let incident = find(&config, identifier).await?;
        decision.check(&incident)?;
        let id = incident.incident;
        let mut data = Map::new();
        data.insert("incident".to_owned(), Value::from(id.as_str()));
        if let Some(text) = &decision.text {
            data.insert(decision.member.to_owned(), Value::from(text.as_str()));
        }
        let event_type = format!("ledger.incident.{}", decision.verb);
        events.push(Saying {
            incident: id.clone(),
            event_type,
            subject: id,
            data: Value::Object(data),
        });
    }
    publishing.publish(app, &config, events).await
}

/// What is published about one incident.
pub(super) struct Saying {
    pub(super) incident: String,
    pub(super) event_type: String,
    pub(super) subject: String,
    pub(super) data: Value,
}

#[derive(Serialize)]
struct Item<'a> {
    incident: &'a str,
    id: &'a str,
    status: &'static str,
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Publishing {
    pub(super) fn config(&self, app: &App) -> Result<Config, Failure> {
        let mut flags = Settings::default();
        flags.publish.publisher.clone_from(&self.publisher);
        app.config_with(flags)
    }

    fn actor(&self, app: &App) -> Result<String, Failure> {
        let named = |name: &str| {
            app.variables
                .get(name)
                .filter(|one| !one.is_empty())
                .cloned()
        };
        let by = self
            .by
            .clone()
            .or_else(|| named("USER"))
            .or_else(|| named("LOGNAME"));
        by.ok_or_else(|| {
            Failure::usage("the environment does not say who you are (USER)")
                .mend("say it with --by")
        })
    }

    /// Publishes the events and prints what became of each.
    pub(super) async fn publish(&self, app: &App, config: &Config, events: Vec<Saying>) -> Outcome {
        let actor = self.actor(app)?;
        let time = schema::time::format_us(crate::app::now_us());
        let outbound = events.iter().map(|event| {
            let body = json!({
                "specversion": "1.0", "id": Uuid::now_v7().to_string(), "source": "urn:ledger:command-line",
                "type": event.event_type, "subject": event.subject, "time": time, "authid": actor,
                "datacontenttype": "application/json", "data": event.data,
            });
            Outbound::new(&config.ledger, &config.publisher, body.to_string().into())
        });
        // Whoever decides wants to know that it counts: nothing is kept for later.
        let options = Options {
            nats: connect::nats_publisher(config)?,
            ledger: config.ledger.clone(),
            in_flight: 16,
            spool: None,
            wait: self.wait.then(|| Duration::from_secs(self.timeout)),
        };
        let mut rows = app.rows(COLUMNS);
        let (mut printed, mut said) = (Ok(()), Ok(Exit::Done));
        publish::publish(&options, outbound, |at, outbound, status| {
            let Some(event) = events.get(at) else { return };
            let mut item = Item {
                incident: &event.incident,
                id: outbound.id(),
                status: "accepted",
                seq: None,
                reason: None,
            };
            match status {
                Status::Accepted { .. } | Status::Spooled => {}
                Status::Settled(Fate::Recorded { seq }) => {
                    (item.status, item.seq) = ("recorded", Some(seq));
                }
                Status::Settled(Fate::Duplicate { of }) => {
                    (item.status, item.seq) = ("duplicate", of);
                }
                Status::Settled(Fate::Quarantined { seq, reason, .. }) => {
                    said = Err(refused(config, seq, &reason));
                    (item.status, item.seq) = ("quarantined", Some(seq));
                    item.reason = Some(reason);
                }
                Status::Unsettled { .. } => said = Err(unsettled(self.timeout)),
                Status::Failed(why) => {
                    item.status = "failed";
                    said = Err(Failure::new(format!("NATS does not take it: {why}")));
                    item.reason = Some(why);
                }
            }
            if printed.is_ok() {
                printed = rows.row(&item);
            }
        })
        .await?;
        printed?;
        rows.finish()?;
        if !self.wait && said.is_ok() {
            say("NATS has it; whether it is in the chain says --wait, or ledger incidents show");
        }
        said
    }
}

fn unsettled(waited_s: u64) -> Failure {
    Failure::new(format!(
        "NATS has it, but after {waited_s} s it is not known to be in the chain"
    ))
    .mend("is ledger serve running? ledger status says what it does; longer: --timeout")
}

fn refused(config: &Config, seq: u64, reason: &str) -> Failure {
    let failure = Failure::new(format!("the ledger refused it at position {seq}: {reason}"));
    if reason == "publisher.reserved" {
        return failure.mend(mend(config, &[]));
    }
    failure.mend("ledger quarantine says why")
}

/// What to do where a publisher is no operator.
fn mend(config: &Config, operators: &[String]) -> String {
    let add = format!(
        "add {} to catalog.operators in the configuration and run ledger catalog activate",
        config.publisher
    );
    if operators.is_empty() {
        return format!("{add}, or publish as an operator with --publisher");
    }
    format!("publish as one of them with --publisher, or {add}")
}

/// Fails where the active settings do not name our publisher as an operator: the ledger would refuse the event.
async fn is_operator(config: &Config, reader: &Reader) -> Result<(), Failure> {
    let head = reader.head().await?;
    let active = reader.catalog_at(head.size).await?;
    // What cannot be read here, the ledger's door judges.
    let settings = active.and_then(|active| Activation::from_data(&active.activation).ok());
    let Some(settings) = settings.map(|activation| activation.settings) else {
        return Ok(());
    };
    let named = settings.get("operators").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    let operators: Vec<String> = named.map(str::to_owned).collect();
    if operators
        .iter()
        .any(|one| *one == config.publisher.as_str())
    {
        return Ok(());
    }
    let who = match operators.as_slice() {
        [] => "the settings name nobody".to_owned(),
        some => format!("the settings name {}", some.join(", ")),
    };
    Err(Failure::usage(format!(
        "the publisher {} is no operator: {who}, and the ledger takes this from nobody else",
        config.publisher
    ))
    .mend(mend(config, &operators)))
}

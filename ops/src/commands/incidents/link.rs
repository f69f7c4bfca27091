//! `ledger incidents link`: the ticket where people work on an incident.

use clap::Args;
use serde_json::{Value, json};

use super::decide::{Publishing, Saying};
use super::{find, identifier};
use crate::app::App;
use crate::cli::text;
use crate::exit::Outcome;

/// The fields by which a link names what it is about, beside `about_kind` and `about_id`.
const NAMED: [(&str, &str); 3] = [
    ("cluster.provisioning_run", "run_id"),
    ("cluster.config_change", "change_id"),
    ("platform.environment", "environment"),
];

/// Tie an incident to the ticket where people work on it
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ledger incidents link 5d4140 INC-311 --url https://tickets.example/INC-311"
)]
pub(super) struct Link {
    /// Its identifier, or the first characters of it
    #[arg(value_name = "INCIDENT", value_parser = identifier)]
    incident: String,
    /// The ticket
    #[arg(value_name = "TICKET", value_parser = text)]
    ticket: String,
    /// Where the ticket is found
    #[arg(long, value_name = "URL", value_parser = text)]
    url: Option<String>,
    /// Why, where there is more to say
    #[arg(long, value_name = "TEXT", value_parser = text)]
    reason: Option<String>,
    #[command(flatten)]
    publishing: Publishing,
}

impl Link {
    /// Publishes `governance.incident.linked`, which rules count that ask for a ticket.
    pub(super) async fn run(self, app: &App) -> Outcome {
        let config = self.publishing.config(app)?;
        let incident = find(&config, &self.incident).await?;
        let mut data = json!({
            "incident_ref": self.ticket, "incident": incident.incident,
            "about_kind": incident.kind, "about_id": incident.id,
        });
        let named = NAMED.iter().find(|(kind, _)| *kind == incident.kind);
        let named = named.map(|(_, field)| (*field, Some(incident.id.clone())));
        let more = [("url", self.url), ("reason", self.reason)];
        for (field, value) in named.into_iter().chain(more) {
            if let (Some(value), Some(data)) = (value, data.as_object_mut()) {
                data.insert(field.to_owned(), Value::from(value));
            }
        }
        let begins: String = incident.incident.chars().take(12).collect();
        let event = Saying {
            event_type: "governance.incident.linked".to_owned(),
            // One link a ticket and incident: saying it again changes that one.
            subject: format!("{}/{begins}", self.ticket),
            incident: incident.incident,
            data,
        };
        self.publishing.publish(app, &config, vec![event]).await
    }
}

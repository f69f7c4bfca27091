//! What people decide, published by an operator's publisher: holds, redactions.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use ingest::Fate;
use ingest::publish::{self, Options, Outbound, Status};
use serde_json::{Value, json};

use crate::app::{self, App};
use crate::cli::text;
use crate::config::Settings;
use crate::connect;
use crate::exit::Failure;

/// Where such events say that they come from.
const SOURCE: &str = "/ledger/cli";

/// Who decides, and by which publisher.
#[derive(Debug, Clone, Args)]
pub struct Decider {
    /// Who decides [default: the user of this machine]
    #[arg(long, value_name = "WHO", value_parser = text)]
    by: Option<String>,
    /// Whom to speak for, an operator [default: as configured, else `local`]
    #[arg(long, value_name = "NAME", value_parser = text)]
    publisher: Option<String>,
    /// How long to wait until it is in the chain, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl Decider {
    /// Who it is, by name; the user of this machine where nobody was named.
    pub fn actor(&self, app: &App) -> Result<String, Failure> {
        let user = || {
            let mut names = ["USER", "LOGNAME"].iter();
            let found = names.find_map(|name| app.variables.get(*name));
            found.filter(|name| !name.is_empty()).cloned()
        };
        self.by.clone().or_else(user).ok_or_else(|| {
            Failure::usage("nobody is named who decides, and this machine's user is not known")
                .mend("name somebody with --by")
        })
    }

    /// Publishes a decision and waits until it is in the chain; gives its position.
    pub async fn publish(
        &self,
        app: &App,
        event_type: &str,
        subject: &str,
        data: &Value,
    ) -> Result<u64, Failure> {
        let mut flags = Settings::default();
        flags.publish.publisher.clone_from(&self.publisher);
        let config = app.config_with(flags)?;
        let body = json!({
            "specversion": "1.0",
            "id": identifier()?,
            "source": SOURCE,
            "type": event_type,
            "subject": subject,
            "time": schema::time::format_us(app::now_us()),
            "authid": self.actor(app)?,
            "data": data,
        });
        let body = Bytes::from(body.to_string());
        let options = Options {
            nats: connect::nats_publisher(&config)?,
            ledger: config.ledger.clone(),
            in_flight: 1,
            // It is waited for: what waits in a spool decides nothing.
            spool: None,
            wait: Some(Duration::from_secs(self.timeout)),
        };
        let item = Outbound::new(&config.ledger, &config.publisher, body);
        let mut became = None;
        publish::publish(&options, [item], |_, _, status| became = Some(status)).await?;
        match became {
            Some(Status::Settled(Fate::Recorded { seq })) => Ok(seq),
            Some(Status::Settled(Fate::Quarantined { seq, reason, .. })) => {
                let failure = Failure::new(format!(
                    "{event_type} by the publisher {} was refused at position {seq}: {reason}",
                    config.publisher
                ));
                Err(failure.mend(if reason == "publisher.reserved" {
                    "catalog.operators names the publishers that may decide this; ledger catalog activate puts it \
                     into the chain"
                        .to_owned()
                } else {
                    format!("ledger quarantine {seq} shows it")
                }))
            }
            Some(Status::Failed(why)) => Err(Failure::new(format!("NATS did not take it: {why}"))),
            _ => Err(Failure::new(format!(
                "it is not known to be in the chain after {} s",
                self.timeout
            ))
            .mend("is ledger serve running? ledger status says what it does; longer: --timeout")),
        }
    }
}

/// A new identifier.
pub fn identifier() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    app::random(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes)
        .into_uuid()
        .to_string())
}

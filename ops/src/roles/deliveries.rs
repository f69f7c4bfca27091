//! What the ledger says of its own deliveries: that the outgoing stream is behind, and that it has caught up.
//!
//! Whoever publishes outward may be another process, or none: so it is asked of the stream and of the chain, by whoever
//! lets time pass.

use std::convert::Infallible;
use std::time::Duration;

use ingest::nats::Connection;
use ingest::{outgoing, publish};
use ledger::read::Reader;
use projections::query::{self, When, Which};
use schema::Activation;
use schema::rule::parse_span_us;
use schema::time::format_us;
use serde_json::{Value, json};

use super::Shared;
use crate::app;
use crate::exit::Failure;
use crate::packages;

/// How often the two are compared.
const EVERY: Duration = Duration::from_secs(2);
/// The setting's default, as the package declares it.
const OBJECTIVE_US: i64 = 30_000_000;
/// The entity that is spoken of.
const KIND: &str = "ledger.delivery";
const OUTGOING: &str = "outgoing";

/// Compares the two again and again.
pub async fn watch(shared: &Shared, connection: &Connection) -> Infallible {
    let mut said = String::new();
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = look(shared, connection, &mut said).await {
            // It is looked again; what keeps it from answering is said by the roles that need it.
            tracing::debug!("the deliveries cannot be looked at: {}", error.render());
        }
    }
}

/// Says what has changed since it was said last; `said` is the last message that NATS took of this process.
async fn look(shared: &Shared, connection: &Connection, said: &mut String) -> Result<(), Failure> {
    let (db, ledger) = (&shared.db, &shared.config.ledger);
    let Some(next) = outgoing::next(&connection.js, ledger).await else {
        return Ok(());
    };
    let reader = Reader::open(db, ledger).await?;
    let waiting = reader.record(next).await?.map(|one| one.header.recorded_us);
    let which = Which {
        kind: Some(KIND),
        id: Some(OUTGOING),
    };
    let states = query::state(db, ledger, which, When::Now).await?;
    let is_lagging = states.first().and_then(|one| one.status.as_deref()) == Some("lagging");
    let (verb, data) = match waiting {
        Some(since_us) if !is_lagging => {
            if app::now_us().saturating_sub(since_us) <= objective_us(&reader).await? {
                return Ok(());
            }
            let since = format_us(since_us);
            (
                "lagged",
                json!({"sink": OUTGOING, "from_seq": next, "waiting_since": since}),
            )
        }
        None if is_lagging => ("caught_up", json!({"sink": OUTGOING})),
        _ => return Ok(()),
    };
    // Until the views have it, it is not said again.
    let id = format!("{OUTGOING}/{verb}/{next}");
    if *said == id {
        return Ok(());
    }
    let data = schema::canonical::to_text(&data);
    let message = packages::message(ledger, &format!("{KIND}.{verb}"), &id, OUTGOING, &data);
    publish::one(connection, &message).await?;
    *said = id;
    Ok(())
}

/// How old what waits may be, by the active catalog.
async fn objective_us(reader: &Reader) -> Result<i64, Failure> {
    let active = reader.activation_at(u64::MAX).await?;
    let settings = active.and_then(|(_, data)| Activation::from_data(&data).ok());
    let said = settings.and_then(|one| {
        let said = one.settings.pointer("/slo/publish").and_then(Value::as_str);
        said.and_then(parse_span_us)
    });
    Ok(said.unwrap_or(OBJECTIVE_US))
}

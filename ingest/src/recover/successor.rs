//! The stream of a log that succeeds another whose end is gone, from the database and from the stream.

use bytes::Bytes;
use ledger::head::Head;
use schema::LedgerName;
use serde_json::{Value, json};

use super::{RecoverError, Recovery};
use crate::api;
use crate::nats::Nats;
use crate::streams::{self, StreamSettings};

/// The type of the event that begins a successor's stream.
const SUCCEEDED: &str = "ledger.chain.succeeded";

/// What succeeds what.
#[derive(Debug, Clone)]
pub struct Succession {
    /// The successor's origin.
    pub origin: String,
    /// The data of `ledger.chain.succeeded`.
    pub data: Value,
    /// The messages that follow it, before any other: subjects and bodies.
    pub catalog: Vec<(String, Bytes)>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succeeded {
    /// The successor's stream, `<name>@<its creation time in µs>`.
    pub stream: String,
    /// How many messages were copied into it that the old log does not hold.
    pub copied: u64,
    /// How many messages were left out, since they speak of positions of the old log.
    pub left_out: u64,
    /// The data of `ledger.chain.succeeded`, as it stands in the stream.
    pub data: Value,
}

/// What the incoming stream says of a succession, where it begins with one: the data of its first message.
pub(crate) async fn begun(
    link: &mut crate::link::Link,
    ledger: &LedgerName,
    old: &Head,
) -> Result<Option<Value>, RecoverError> {
    #[derive(serde::Deserialize)]
    struct Envelope {
        data: Value,
    }
    let first = api::message_from(link, &ledger.stream_in(), 1).await?;
    let subject = format!("ledger.{ledger}.ingest.ledger.{SUCCEEDED}");
    let data = first
        .filter(|first| first.message.nats_subject == subject && first.message.stream_seq == 1)
        .and_then(|first| serde_json::from_slice::<Envelope>(&first.message.body).ok())
        .map(|envelope| envelope.data);
    Ok(data.filter(|data| data.get("predecessor") == Some(&json!(old.origin))))
}

/// Makes the stream of a successor: `ledger.chain.succeeded`, its catalog, and whatever the old log does not hold of
/// the old stream. It can be run again.
pub async fn succeed(
    nats: &Nats,
    ledger: &LedgerName,
    old: &Head,
    settings: &StreamSettings,
    succession: Succession,
) -> Result<Succeeded, RecoverError> {
    let mut recovery = Recovery::new(nats, ledger, old).await?;
    let exists = api::stream_info(&mut recovery.link, &recovery.live).await?;
    let mut data = match &exists {
        Some(_) => begun(&mut recovery.link, ledger, old).await?,
        None => None,
    };
    // A stream that was begun and takes little yet was interrupted before its catalog was in: it is made again.
    let whole = match (&exists, &data) {
        (Some(_), Some(_)) => recovery.takes_all().await?,
        _ => false,
    };
    if !whole {
        if data.is_none() {
            recovery.keep().await?;
        }
        let subject = format!("ledger.{ledger}.ingest.ledger.{SUCCEEDED}");
        let event = json!({
            "specversion": "1.0", "type": SUCCEEDED, "source": ledger.source(),
            "id": format!("succeeded/{}", old.origin), "subject": ledger.as_str(), "data": succession.data,
        });
        let mut first = vec![(subject, event.to_string().into())];
        first.extend(succession.catalog);
        recovery.begin(&succession.origin, settings, first).await?;
        data = Some(succession.data);
    }
    let given = recovery
        .give_back(|subject| !is_of_the_old(subject))
        .await?;
    let stream = streams::identity(&recovery.connection, &recovery.live).await?;
    Ok(Succeeded {
        stream: stream.unwrap_or_default(),
        copied: given.copied,
        left_out: given.left_out,
        data: data.unwrap_or_default(),
    })
}

/// Whether a message speaks of positions of the old log: all that the ledger itself said, since it followed from that
/// chain; and what people decided about its positions, incidents and tasks. In another chain the same numbers are other
/// events: a redaction would delete what nobody meant. `subject` is `<publisher>.<package>.<entity>.<verb>`.
fn is_of_the_old(subject: &str) -> bool {
    let names: Vec<&str> = subject.split('.').collect();
    match names.as_slice() {
        ["ledger", ..] => true,
        [_, "ledger", entity, _] => matches!(*entity, "redaction" | "incident" | "task"),
        _ => false,
    }
}

impl Recovery<'_> {
    /// Whether the incoming stream takes every message already.
    pub(super) async fn takes_all(&self) -> Result<bool, RecoverError> {
        let stream = streams::get(&self.connection.js, &self.live).await?;
        let all = format!("ledger.{}.ingest.>", self.ledger);
        Ok(stream.is_some_and(|stream| stream.cached_info().config.subjects == [all]))
    }
}

/// Whether the incoming stream is a successor's already, whole or in part, of the log that ends at `old`.
pub async fn is_succeeded(
    nats: &Nats,
    ledger: &LedgerName,
    old: &Head,
) -> Result<bool, RecoverError> {
    let mut link = crate::link::Link::connect(nats, "recover").await?;
    if api::stream_info(&mut link, &ledger.stream_in())
        .await?
        .is_none()
    {
        return Ok(false);
    }
    Ok(begun(&mut link, ledger, old).await?.is_some())
}

#[cfg(test)]
mod tests {
    use super::is_of_the_old;

    #[test]
    fn what_speaks_of_the_old_chain_stays_with_it() {
        for subject in [
            "ledger.ledger.violation.raised",
            "ledger.ledger.retention.applied",
            "ledger.cluster.secret_rotation.reverted",
            "oncall.ledger.redaction.requested",
            "oncall.ledger.incident.acknowledged",
            "oncall.ledger.task.closed",
        ] {
            assert!(is_of_the_old(subject), "{subject}");
        }
        for subject in [
            "ci.platform.environment.created",
            "oncall.ledger.hold.placed",
            "oncall.ledger.rule.silenced",
            "oncall.governance.incident.linked",
            "anything",
        ] {
            assert!(!is_of_the_old(subject), "{subject}");
        }
    }
}

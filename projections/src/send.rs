//! Publishing what the ledger says itself by its front door.

use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream;
use async_nats::jetstream::context::{PublishAckFuture, PublishError};
use ledger::digest;
use ledger::read::ReadError;
use schema::LedgerName;

use crate::verdict::Outgoing;

/// Why something could not be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("what there is to say cannot be read")]
    Database(#[from] ReadError),
    #[error("NATS does not take {id} for {subject}")]
    Nats {
        id: String,
        subject: String,
        #[source]
        source: PublishError,
    },
}

impl SendError {
    /// NATS did not take this message.
    pub(crate) fn untaken(message: &Outgoing, source: PublishError) -> Self {
        Self::Nats {
            id: message.id.clone(),
            subject: message.subject.clone(),
            source,
        }
    }

    /// What the database says that is there and refuses; anything else is an outage.
    pub(crate) fn refusal(self) -> Result<ReadError, Self> {
        match self {
            Self::Database(error) if !error.is_unavailable() => Ok(error),
            outage => Err(outage),
        }
    }
}

/// Sends a message; NATS has it once what is given has come true. The same message bears the same name, so that JetStream
/// drops it where it has just seen it.
pub(crate) async fn send(
    js: &jetstream::Context,
    ledger: &LedgerName,
    message: &Outgoing,
) -> Result<PublishAckFuture, SendError> {
    let identity = digest::message_id("ledger", &ledger.source(), &message.id);
    let mut headers = HeaderMap::new();
    headers.insert("Content-Type", "application/cloudevents+json");
    headers.insert(NATS_MESSAGE_ID, hex::encode(identity).as_str());
    let body = message.body.clone().into();
    let sent = js
        .publish_with_headers(message.subject.clone(), headers, body)
        .await;
    sent.map_err(|source| SendError::untaken(message, source))
}

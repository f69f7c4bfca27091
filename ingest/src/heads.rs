//! Signed heads on the outgoing stream, each in the place of the one that its signer saw last.

use async_nats::HeaderMap;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use schema::LedgerName;

use crate::nats::{Connection, NatsError};

/// A signed head as it stands on the outgoing stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedHead {
    /// Its number in the outgoing stream; what the next one names.
    pub stream_seq: u64,
    /// The signed note.
    pub note: String,
}

/// A head could not be published.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// Another head stands there than the one that was expected: compare before signing anything else.
    #[error(
        "the last signed head on the outgoing stream is not the expected one (message {expected}): another \
         process signs for this ledger, or the stream lost its end"
    )]
    Moved {
        /// The number of the head that was expected to be the last; 0 for none.
        expected: u64,
    },
    /// NATS is away or unwilling. Whether the head is out is not known: read the last one.
    #[error(transparent)]
    Nats(#[from] NatsError),
}

/// The last signed head on the outgoing stream, or `None` where there is no such stream: a recovery asks before there
/// is one.
pub async fn last_head_if_any(
    connection: &Connection,
    ledger: &LedgerName,
) -> Result<Option<PublishedHead>, NatsError> {
    match crate::streams::get(&connection.js, &ledger.stream_out()).await? {
        Some(_) => last_head(connection, ledger).await,
        None => Ok(None),
    }
}

/// The last signed head on the outgoing stream.
pub async fn last_head(
    connection: &Connection,
    ledger: &LedgerName,
) -> Result<Option<PublishedHead>, NatsError> {
    let name = ledger.stream_out();
    let refused = |error: Box<dyn std::error::Error + Send + Sync>| {
        NatsError::refused(
            format!("read the last signed head from stream {name}"),
            error,
        )
    };
    let stream = connection.js.get_stream_no_info(&name).await;
    let stream = stream.map_err(|error| refused(error.into()))?;
    let subject = format!("ledger.{ledger}.checkpoint");
    match stream
        .raw_message_builder()
        .last_by_subject(subject)
        .send()
        .await
    {
        Ok(message) => {
            let note = String::from_utf8(message.payload.to_vec());
            let note = note.map_err(|error| refused(error.into()))?;
            let stream_seq = message.sequence;
            Ok(Some(PublishedHead { stream_seq, note }))
        }
        Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
        Err(error) => Err(refused(error.into())),
    }
}

/// Publishes a signed head behind the one that was seen last (`behind`, its number there; 0 for none), and
/// gives its own number. The server refuses it if another has come between.
pub async fn publish_head(
    connection: &Connection,
    ledger: &LedgerName,
    behind: u64,
    note: &str,
) -> Result<u64, HeadError> {
    let mut headers = HeaderMap::new();
    let condition = async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
    headers.insert(condition, behind.to_string());
    let subject = format!("ledger.{ledger}.checkpoint");
    let failed = |error: async_nats::jetstream::context::PublishError| match error.kind() {
        PublishErrorKind::WrongLastSequence => HeadError::Moved { expected: behind },
        _ => connection.untaken("a signed head", error).into(),
    };
    let ack = connection
        .js
        .publish_with_headers(subject, headers, note.to_owned().into())
        .await
        .map_err(failed)?;
    let ack = tokio::select! {
        ack = ack => ack.map_err(failed)?,
        () = connection.lost() => return Err(connection.lost_error().into()),
    };
    Ok(ack.sequence)
}

//! Deleting single messages from the stream so that their bytes are gone from the server's disk.

use async_nats::jetstream::ErrorCode;
use schema::LedgerName;
use serde_json::{Value, json};

use crate::nats::{Connection, NatsError};
use crate::streams;

/// Securely deletes messages of the incoming stream: the server overwrites their bytes. `stream` is the
/// identity under which the chain knows them (`<name>@<creation>`); messages of a stream that was made again
/// since are gone already, and so are those that are not found. Gives how many were deleted now.
///
/// Only what is sealed and old enough may be given: what is deleted cannot be replayed after a loss.
pub async fn scrub(
    connection: &Connection,
    ledger: &LedgerName,
    stream: &str,
    numbers: &[u64],
) -> Result<usize, NatsError> {
    let name = ledger.stream_in();
    if streams::identity(connection, &name).await?.as_deref() != Some(stream) {
        return Ok(0);
    }
    let mut deleted = 0;
    for number in numbers {
        // `no_erase` is absent: the bytes are overwritten, not only marked.
        let request = format!("STREAM.MSG.DELETE.{name}");
        let what = || format!("delete message {number} of stream {name}");
        let answer: Value = connection
            .js
            .request(request, &json!({ "seq": number }))
            .await
            .map_err(|error| NatsError::refused(what(), error))?;
        let Some(error) = answer.get("error") else {
            deleted += 1;
            continue;
        };
        if !is_missing(error) {
            return Err(NatsError::refused(what(), error.to_string()));
        }
    }
    Ok(deleted)
}

/// Servers say "no message found", "sequence not found" or "delete failed" of a message that is not there; the
/// last of them also of a stream that lets nobody delete.
fn is_missing(error: &Value) -> bool {
    let code = error.get("err_code").and_then(Value::as_u64);
    let text = error
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    code == Some(ErrorCode::NO_MESSAGE_FOUND.0)
        || code == Some(ErrorCode::SEQUENCE_NOT_FOUND.0)
        || (code == Some(ErrorCode::STREAM_MESSAGE_DELETE_FAILED.0)
            && !text.contains("not permitted"))
}

//! The few requests to `JetStream` that reading a stream needs, over a [`Link`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schema::Message;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::headers;
use crate::link::Link;
use crate::nats::NatsError;

/// `JetStream`'s code for "there is no such message".
const NO_MESSAGE: u64 = 10037;
/// `JetStream`'s code for "there is no such stream".
const NO_STREAM: u64 = 10059;

/// An answer that says no.
#[derive(Debug, Deserialize, thiserror::Error)]
#[error("{description} (code {code}, {err_code})")]
struct ApiError {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

/// Where a stream stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// `<name>@<creation time in µs>`.
    pub identity: String,
    /// What the stream says that it is for.
    pub description: String,
    /// The number of the oldest message that is there.
    pub first_seq: u64,
    /// The number of the last message that was ever stored.
    pub last_seq: u64,
    /// How many messages are there.
    pub messages: u64,
}

/// `<name>@<its creation time in µs>`: a stream that was made again is another stream.
pub(crate) fn identity(name: &str, created_us: i64) -> String {
    format!("{name}@{created_us}")
}

/// Sends a request; `Ok(Err(code, …))` where `JetStream` says no with one of the codes in `expected`.
async fn call<T: DeserializeOwned>(
    link: &mut Link,
    request: &str,
    body: &Value,
    expected: u64,
) -> Result<Option<T>, NatsError> {
    let payload = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    let answer = link
        .request(&format!("$JS.API.{request}"), &payload)
        .await?;
    if headers::parse(&answer.headers).status == 503 {
        let servers = link.nats().names();
        return Err(NatsError::NoJetStream { servers });
    }
    let refused =
        |source: Box<dyn std::error::Error + Send + Sync>| NatsError::refused(request, source);
    let value: Value =
        serde_json::from_slice(&answer.payload).map_err(|error| refused(error.into()))?;
    if let Some(error) = value.get("error") {
        let error: ApiError =
            ApiError::deserialize(error).map_err(|error| refused(error.into()))?;
        return match error.err_code {
            code if code == expected => Ok(None),
            _ if error.code == 503 => Err(NatsError::NoJetStream {
                servers: link.nats().names(),
            }),
            _ => Err(refused(error.into())),
        };
    }
    T::deserialize(value)
        .map(Some)
        .map_err(|error| refused(error.into()))
}

/// Where the stream of this name stands; `None` where there is none.
pub(crate) async fn stream_info(
    link: &mut Link,
    name: &str,
) -> Result<Option<StreamInfo>, NatsError> {
    #[derive(Deserialize)]
    struct Info {
        created: String,
        config: Config,
        state: State,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        description: String,
    }
    #[derive(Deserialize)]
    struct State {
        first_seq: u64,
        last_seq: u64,
        messages: u64,
    }
    let request = format!("STREAM.INFO.{name}");
    let info: Option<Info> = call(link, &request, &Value::Null, NO_STREAM).await?;
    info.map(|info| {
        Ok(StreamInfo {
            identity: identity(name, time_us(&request, &info.created)?),
            description: info.config.description,
            first_seq: info.state.first_seq,
            last_seq: info.state.last_seq,
            messages: info.state.messages,
        })
    })
    .transpose()
}

fn time_us(request: &str, text: &str) -> Result<i64, NatsError> {
    schema::time::parse_rfc3339_us(text)
        .ok_or_else(|| NatsError::refused(request, format!("{text:?} is not a time")))
}

/// A message as the API stores it, with its header block as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The message.
    pub message: Message,
    /// The header block.
    pub headers: Bytes,
}

/// The first message whose number is `seq` or higher; `None` where there is none.
///
/// The subject's bytes that are not UTF-8 are counted differently here than in a frame, so this is for
/// looking, never for the chain.
pub(crate) async fn message_from(
    link: &mut Link,
    stream: &str,
    seq: u64,
) -> Result<Option<Stored>, NatsError> {
    let body = json!({"seq": seq.max(1), "next_by_subj": ">"});
    stored(link, stream, &body).await
}

async fn stored(link: &mut Link, stream: &str, body: &Value) -> Result<Option<Stored>, NatsError> {
    #[derive(Deserialize)]
    struct Answer {
        message: Raw,
    }
    #[derive(Deserialize)]
    struct Raw {
        subject: String,
        seq: u64,
        #[serde(default)]
        hdrs: String,
        #[serde(default)]
        data: String,
        time: String,
    }
    let request = format!("STREAM.MSG.GET.{stream}");
    let Some(Answer { message }) = call(link, &request, body, NO_MESSAGE).await? else {
        return Ok(None);
    };
    let bytes = |text: &str| {
        let decoded = STANDARD.decode(text);
        decoded
            .map(Bytes::from)
            .map_err(|error| NatsError::refused(request.as_str(), error))
    };
    let block = bytes(&message.hdrs)?;
    Ok(Some(Stored {
        message: Message {
            nats_subject: message.subject,
            headers: headers::parse(&block).fields,
            body: bytes(&message.data)?,
            stream_seq: message.seq,
            time_us: time_us(&request, &message.time)?,
        },
        headers: block,
    }))
}

/// Makes an ephemeral consumer that hands out everything from number `from` on, acknowledged all at once.
/// Gives its name.
pub(crate) async fn create_consumer(
    link: &mut Link,
    stream: &str,
    from: u64,
) -> Result<String, NatsError> {
    #[derive(Deserialize)]
    struct Made {
        name: String,
    }
    let second = 1_000_000_000_u64;
    let request = format!("CONSUMER.CREATE.{stream}");
    let body = json!({
        "stream_name": stream,
        "config": {
            "deliver_policy": "by_start_sequence", "opt_start_seq": from.max(1),
            "ack_policy": "all", "ack_wait": 60 * second, "max_ack_pending": -1, "max_deliver": -1,
            "replay_policy": "instant", "inactive_threshold": 60 * second, "mem_storage": true,
            "description": "event-ledger ingest; the position is in PostgreSQL",
        },
    });
    let made: Option<Made> = call(link, &request, &body, 0).await?;
    made.map(|made| made.name)
        .ok_or_else(|| NatsError::refused(request, "no consumer was made"))
}

/// The number in its stream and the `JetStream` time in µs, from the subject that acknowledges a message:
/// `$JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<delivered>.<number>.<n>.<ns>.<pending>[.<random>]`.
pub(crate) fn delivered(ack: &[u8]) -> Option<Delivered> {
    let text = std::str::from_utf8(ack).ok()?.strip_prefix("$JS.ACK.")?;
    let words: Vec<&str> = text.split('.').collect();
    let skip = if words.len() >= 9 { 5 } else { 3 };
    let mut words = words.into_iter().skip(skip);
    let stream_seq = words.next()?.parse().ok()?;
    let time_ns: i64 = words.nth(1)?.parse().ok()?;
    Some(Delivered {
        stream_seq,
        time_us: time_ns.div_euclid(1000),
        pending: words.next()?.parse().ok()?,
    })
}

/// What `JetStream` says of a message that it hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Its number in the stream.
    pub stream_seq: u64,
    /// When it was stored, floored to µs.
    pub time_us: i64,
    /// How many follow.
    pub pending: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgement_subjects() {
        let expected = Some(Delivered {
            stream_seq: 42,
            time_us: 1_785_704_401_123_456,
            pending: 9,
        });
        let plain = b"$JS.ACK.LEDGER-main.abc.1.42.7.1785704401123456789.9";
        assert_eq!(delivered(plain), expected);
        let domain = b"$JS.ACK.hub.ACC.LEDGER-main.abc.1.42.7.1785704401123456789.9.rnd";
        assert_eq!(delivered(domain), expected);
        assert_eq!(delivered(b"_INBOX.x"), None);
        assert_eq!(delivered(b"$JS.ACK.a.b"), None);
    }
}

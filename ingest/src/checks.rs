//! Whether the stream is the one that the head was taken from, and still holds its end.

use ledger::head::Head;
use schema::Message;
use serde::Deserialize;

use crate::api;
use crate::link::Link;
use crate::nats::NatsError;

/// The type of the event that begins a stream which goes on with another.
pub(crate) const CONTINUED: &str = "ledger.stream.continued";

/// The stream does not hold what the head says was read from it. Reading on would leave out what nobody
/// knows of, so nothing is read until somebody runs `ledger recover`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// There is no such stream.
    #[error(
        "stream {stream} is gone, up to whose message {head_seq} the ledger was read: run `ledger recover`"
    )]
    Stream {
        /// The stream that the head was taken from.
        stream: String,
        /// The head's number in it.
        head_seq: u64,
    },
    /// The stream was made again.
    #[error(
        "the ledger was read from stream {ours} up to message {head_seq}, but there is stream {theirs}, which \
         does not begin by continuing it: run `ledger recover`"
    )]
    Other {
        /// The stream that the head was taken from.
        ours: String,
        /// The stream that is there.
        theirs: String,
        /// The head's number in ours.
        head_seq: u64,
    },
    /// The stream ends before the head.
    #[error(
        "stream {stream} ends at message {last_seq}, but the ledger was read up to message {head_seq}: NATS lost \
         what it had acknowledged; run `ledger recover`"
    )]
    Tail {
        /// The stream.
        stream: String,
        /// The head's number.
        head_seq: u64,
        /// The last number that the stream knows.
        last_seq: u64,
    },
    /// The database is behind what was signed, and the stream no longer holds what would bring it there.
    #[error(
        "a head of size {released} was let out, and the database, which is behind it, needs messages {missing} to \
         {} of stream {stream}, which are gone: restore a newer backup, or fill the database from an export with `ledger recover --from \
         BUNDLE`; if there is neither, `ledger recover --successor NEW-ORIGIN` starts another log",
        found - 1
    )]
    Replay {
        /// The stream.
        stream: String,
        /// The first number that is missing.
        missing: u64,
        /// The next number that is there.
        found: u64,
        /// The size of the head that was let out.
        released: u64,
    },
    /// Another message bears the head's number.
    #[error(
        "message {found_seq} of stream {stream} was stored at {found_us} µs, but the ledger's head, message \
         {head_seq}, at {head_us} µs: NATS lost what it had acknowledged and gave the numbers again; run \
         `ledger recover`"
    )]
    Time {
        /// The stream.
        stream: String,
        /// The head's number.
        head_seq: u64,
        /// The head's JetStream time in µs.
        head_us: i64,
        /// The number of the first message from there on.
        found_seq: u64,
        /// Its JetStream time in µs.
        found_us: i64,
    },
}

/// Why a place was not found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Where to read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stream, `<name>@<its creation time in µs>`.
    pub identity: String,
    /// The number of the next message to read.
    pub next: u64,
    /// The last number of the stream.
    pub last_seq: u64,
    /// The JetStream time of the next message in µs, if there is one.
    pub next_us: Option<i64>,
}

/// Finds where to read on, or says what was lost.
///
/// The message at the head's number must bear the head's time. If it was deleted, the next one there is must
/// not be older. A stream that was made again must begin with an event that continues the head's.
pub(crate) async fn place(link: &mut Link, name: &str, head: &Head) -> Result<Place, PlaceError> {
    let Some(info) = api::stream_info(link, name).await? else {
        let stream = if head.stream.is_empty() {
            name
        } else {
            &head.stream
        };
        return Err(Lost::Stream {
            stream: stream.to_owned(),
            head_seq: head.stream_seq,
        }
        .into());
    };
    let next = if info.identity == head.stream {
        same_stream(link, name, head, info.last_seq).await?;
        head.stream_seq + 1
    } else if head.stream.is_empty() {
        1
    } else {
        let first = api::message_from(link, name, 1).await?;
        if !first.is_some_and(|first| continues(&first.message, head)) {
            return Err(Lost::Other {
                ours: head.stream.clone(),
                theirs: info.identity,
                head_seq: head.stream_seq,
            }
            .into());
        }
        1
    };
    let following = api::message_from(link, name, next).await?;
    Ok(Place {
        identity: info.identity,
        next,
        last_seq: info.last_seq,
        next_us: following.map(|stored| stored.message.time_us),
    })
}

async fn same_stream(
    link: &mut Link,
    name: &str,
    head: &Head,
    last_seq: u64,
) -> Result<(), PlaceError> {
    if last_seq < head.stream_seq {
        return Err(Lost::Tail {
            stream: head.stream.clone(),
            head_seq: head.stream_seq,
            last_seq,
        }
        .into());
    }
    let Some(found) = api::message_from(link, name, head.stream_seq).await? else {
        return Ok(());
    };
    let found = found.message;
    let fits = if found.stream_seq == head.stream_seq {
        found.time_us == head.message_us
    } else {
        found.time_us >= head.message_us
    };
    if fits {
        return Ok(());
    }
    Err(Lost::Time {
        stream: head.stream.clone(),
        head_seq: head.stream_seq,
        head_us: head.message_us,
        found_seq: found.stream_seq,
        found_us: found.time_us,
    }
    .into())
}

/// What an event says that continues a stream.
#[derive(Debug, Deserialize, serde::Serialize, PartialEq, Eq)]
pub(crate) struct Continued {
    /// The stream that was read before, `<name>@<its creation time in µs>`.
    pub stream: String,
    /// The last number that was read of it.
    pub last: u64,
}

/// Whether a message continues the head's stream where the head is. Whether it is an event in every other
/// way is judged when it is read.
fn continues(message: &Message, head: &Head) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        data: Continued,
    }
    let ingest = format!("ledger.{}.ingest.ledger.{CONTINUED}", head.ledger);
    let data = serde_json::from_slice::<Envelope>(&message.body).map(|envelope| envelope.data);
    message.nats_subject == ingest
        && data.is_ok_and(|data| data.stream == head.stream && data.last == head.stream_seq)
}

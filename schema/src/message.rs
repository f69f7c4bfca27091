//! A message as it lay in the stream, before anything is known about it.

use bytes::Bytes;

/// One message of the incoming stream, exactly as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The NATS subject. Bytes that are not UTF-8 have become U+FFFD.
    pub nats_subject: String,
    /// Header names as received, with their values' bytes without white space around them, in the order
    /// received among equal names. The order between different names carries no meaning.
    pub headers: Vec<(String, Bytes)>,
    /// The payload.
    pub body: Bytes,
    /// The message's number in its stream, from 1.
    pub stream_seq: u64,
    /// When JetStream stored it, in microseconds since the Unix epoch, floored.
    pub time_us: i64,
}

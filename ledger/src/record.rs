//! One position of the chain.

use bytes::Bytes;

use crate::digest::Hash;

/// What is hashed of an event, apart from its data. It is never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// The position, from 0 without a gap.
    pub seq: u64,
    /// When it happened by the publisher's word, in µs.
    pub occurred_us: i64,
    /// When it was recorded by JetStream's clock, in µs; never decreases along the chain.
    pub recorded_us: i64,
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `id`.
    pub id: String,
    /// The CloudEvents `type`, as received.
    pub event_type: String,
    /// The entity's identifier.
    pub subject: String,
    /// Who acted; empty where nobody was named.
    pub actor: String,
    /// Who published; empty where the NATS subject named nobody legal.
    pub publisher: String,
    /// The other attributes, RFC 8785; empty where there is none.
    pub context: String,
    /// `<stream name>@<its creation time in µs>`; empty for event 0.
    pub stream: String,
    /// The message's number in its stream; 0 for event 0.
    pub stream_seq: u64,
}

/// The part of an event that can be deleted without breaking a proof: both together or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Blinds the commitment, so that short data cannot be guessed back once this is gone.
    pub salt: Hash,
    /// The bytes of `data`, exactly as received.
    pub data: Bytes,
}

/// One position as it is stored, with the hashes that were stored beside it. Nothing here is proved until
/// somebody recomputes it (`crate::verify`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What is hashed directly.
    pub header: Header,
    /// Commits to the data: `H("data", salt ‖ data)`.
    pub data_commitment: Hash,
    /// `H("event", header)`.
    pub event_hash: Hash,
    /// The chain's value after this event.
    pub chain: Hash,
    /// Salt and data, unless they were deleted.
    pub body: Option<Body>,
}

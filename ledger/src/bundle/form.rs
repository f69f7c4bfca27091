//! The lines of a bundle's files, as they are written and read.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::digest::Hash;
use crate::record::{Header, Record};

/// A hash written as 64 lower-case hexadecimal digits; no other form is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex(pub Hash);

/// Bytes written as padded standard base64; no other form is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base64<'a>(pub Cow<'a, [u8]>);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

/// Decodes while the deserializer still holds the text, without a copy of it.
struct Decode<T>(fn(&str) -> Option<T>, &'static str);

impl<T> Visitor<'_> for Decode<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).ok_or_else(|| E::custom(format_args!("a value is not {}", self.1)))
    }
}

fn lower_hex(text: &str) -> Option<Hex> {
    let mut hash = [0; 32];
    let upper = text.bytes().any(|b| b.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut hash)
        .ok()
        .filter(|()| !upper)?;
    Some(Hex(hash))
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Decode(lower_hex, "64 lower-case hexadecimal digits"))
    }
}

impl<'de> Deserialize<'de> for Base64<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let decode = |text: &str| {
            BASE64
                .decode(text)
                .ok()
                .map(|bytes| Self(Cow::Owned(bytes)))
        };
        deserializer.deserialize_str(Decode(decode, "standard base64 with padding"))
    }
}

/// A key that must be there though its value may be null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(from)
}

/// A key that may be missing but, where it is there, is not null.
fn not_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// Why an event's data is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redacted {
    /// The position of the `ledger.retention.applied` that took it.
    pub by: u64,
    /// The retention class or the redaction that it applied.
    pub rule: String,
    /// When that was recorded, RFC 3339 in UTC.
    pub at: String,
}

/// One line of `events.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each is the record's field of this name")]
pub struct Line<'a> {
    pub seq: u64,
    pub occurred_us: i64,
    pub recorded_us: i64,
    pub stream_seq: u64,
    pub source: Cow<'a, str>,
    pub id: Cow<'a, str>,
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    pub subject: Cow<'a, str>,
    pub actor: Cow<'a, str>,
    pub publisher: Cow<'a, str>,
    pub context: Cow<'a, str>,
    pub stream: Cow<'a, str>,
    pub data_commitment: Hex,
    pub event_hash: Hex,
    pub chain: Hex,
    #[serde(deserialize_with = "present")]
    pub salt: Option<Hex>,
    #[serde(deserialize_with = "present")]
    pub data: Option<Base64<'a>>,
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    pub prev_chain: Option<Hex>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    #[serde(
        default,
        deserialize_with = "not_null",
        skip_serializing_if = "Option::is_none"
    )]
    pub redacted: Option<Redacted>,
}

impl<'a> Line<'a> {
    /// The record as it is shown: with its salt and data, if it has them.
    pub fn of(record: &'a Record) -> Self {
        let header = &record.header;
        let body = record.body.as_ref();
        Self {
            seq: header.seq,
            occurred_us: header.occurred_us,
            recorded_us: header.recorded_us,
            stream_seq: header.stream_seq,
            source: Cow::Borrowed(&header.source),
            id: Cow::Borrowed(&header.id),
            event_type: Cow::Borrowed(&header.event_type),
            subject: Cow::Borrowed(&header.subject),
            actor: Cow::Borrowed(&header.actor),
            publisher: Cow::Borrowed(&header.publisher),
            context: Cow::Borrowed(&header.context),
            stream: Cow::Borrowed(&header.stream),
            data_commitment: Hex(record.data_commitment),
            event_hash: Hex(record.event_hash),
            chain: Hex(record.chain),
            salt: body.map(|body| Hex(body.salt)),
            data: body.map(|body| Base64(Cow::Borrowed(&body.data))),
            prev_chain: None,
            withheld: false,
            redacted: None,
        }
    }

    /// Takes the hashed texts and numbers out of the line.
    pub(super) fn take_header(&mut self) -> Header {
        let own = |text: &mut Cow<'a, str>| std::mem::take(text).into_owned();
        Header {
            seq: self.seq,
            occurred_us: self.occurred_us,
            recorded_us: self.recorded_us,
            source: own(&mut self.source),
            id: own(&mut self.id),
            event_type: own(&mut self.event_type),
            subject: own(&mut self.subject),
            actor: own(&mut self.actor),
            publisher: own(&mut self.publisher),
            context: own(&mut self.context),
            stream: own(&mut self.stream),
            stream_seq: self.stream_seq,
        }
    }
}

/// One line of `proofs.ndjson`: that the entry at `seq` is in the tree of the signed head.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProofLine {
    pub seq: u64,
    pub inclusion: Vec<Base64<'static>>,
}

impl ProofLine {
    /// The siblings from the leaf up; `None` if one is not 32 bytes.
    pub fn siblings(&self) -> Option<Vec<Hash>> {
        self.inclusion
            .iter()
            .map(|hash| Hash::try_from(hash.0.as_ref()).ok())
            .collect()
    }
}

/// One line of `verdicts.ndjson`: a violation or an incident of the ledger.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictLine<'a> {
    pub seq: u64,
    #[serde(rename = "type")]
    pub event_type: Cow<'a, str>,
    pub data: Cow<'a, RawValue>,
}

/// Whether an event of this type belongs into `verdicts.ndjson`.
pub(super) fn is_verdict(event_type: &str) -> bool {
    event_type.starts_with("ledger.violation.") || event_type.starts_with("ledger.incident.")
}

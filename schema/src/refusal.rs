//! Why a message is not an event.

use std::fmt;

/// Why a message was quarantined, in the order in which the reasons are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Something in it looks like a secret. Nothing of it is kept.
    SecretSuspected,
    /// The body, the data or the context is larger than allowed.
    SizeExceeded,
    /// Neither structured nor binary CloudEvents mode.
    EnvelopeMode,
    /// Not UTF-8, a byte order mark, `\u0000`, or an unpaired surrogate escape.
    JsonEncoding,
    /// Not JSON.
    JsonSyntax,
    /// Nested deeper than allowed.
    JsonDepth,
    /// A key twice in one object.
    JsonDuplicateKey,
    /// An integer beyond ±(2⁶³−1), or a number that is not finite as a double.
    JsonNumber,
    /// An attribute is missing, malformed, too long or given twice; or `data` is.
    EnvelopeAttribute,
    /// `type` does not have the form of a type.
    EnvelopeType,
    /// `type` says something else than the NATS subject.
    SubjectMismatch,
    /// Somebody else speaks for the ledger.
    PublisherReserved,
    /// The publisher's signature does not verify.
    SignatureInvalid,
    /// The catalog does not know the type.
    TypeUnknown,
    /// `data` fails the kind's fields.
    DataInvalid,
    /// The identity is taken by an event with other content.
    IdConflict,
}

impl Reason {
    /// Every reason, in the order in which they are looked for.
    pub const ALL: [Self; 16] = [
        Self::SecretSuspected,
        Self::SizeExceeded,
        Self::EnvelopeMode,
        Self::JsonEncoding,
        Self::JsonSyntax,
        Self::JsonDepth,
        Self::JsonDuplicateKey,
        Self::JsonNumber,
        Self::EnvelopeAttribute,
        Self::EnvelopeType,
        Self::SubjectMismatch,
        Self::PublisherReserved,
        Self::SignatureInvalid,
        Self::TypeUnknown,
        Self::DataInvalid,
        Self::IdConflict,
    ];

    /// The stable name that is written to the chain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecretSuspected => "payload.secret_suspected",
            Self::SizeExceeded => "size.exceeded",
            Self::EnvelopeMode => "envelope.mode",
            Self::JsonEncoding => "json.encoding",
            Self::JsonSyntax => "json.syntax",
            Self::JsonDepth => "json.depth",
            Self::JsonDuplicateKey => "json.duplicate_key",
            Self::JsonNumber => "json.number",
            Self::EnvelopeAttribute => "envelope.attribute",
            Self::EnvelopeType => "envelope.type",
            Self::SubjectMismatch => "subject.mismatch",
            Self::PublisherReserved => "publisher.reserved",
            Self::SignatureInvalid => "signature.invalid",
            Self::TypeUnknown => "type.unknown",
            Self::DataInvalid => "data.invalid",
            Self::IdConflict => "id.conflict",
        }
    }

    /// The reason with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that was refused: it is recorded as quarantined, with this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The first reason that applies.
    pub reason: Reason,
    /// The attribute's name for `envelope.…`, a JSON pointer (RFC 6901) for `json.duplicate_key`,
    /// `json.number` and `data.invalid`, else empty.
    pub at: String,
}

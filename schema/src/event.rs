//! An event as it was understood: what the publisher claims, nothing that the ledger adds.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::name::{KindName, Name};

/// A CloudEvents type `<package>.<entity>.<verb>`, optionally followed by `.v<N>` (none is version 1).
///
/// The text is hashed as it was received: `x.y.z` and `x.y.z.v1` mean the same and hash differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventType(Arc<Parts>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Parts {
    text: Arc<str>,
    kind: KindName,
    verb: Name,
    version: u32,
}

impl EventType {
    /// Parses a type, or gives `None` where it does not have the form. `N` is 1 to 9999 without leading zeros.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let package = Name::new(parts.next()?).ok()?;
        let entity = Name::new(parts.next()?).ok()?;
        let verb = Name::new(parts.next()?).ok()?;
        let version = match parts.next() {
            None => 1,
            Some(suffix) => {
                let digits = suffix.strip_prefix('v')?;
                let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
                if !plain || digits.len() > 4 || parts.next().is_some() {
                    return None;
                }
                digits.parse().ok()?
            }
        };
        Some(Self(Arc::new(Parts {
            text: text.into(),
            kind: KindName::new(package, entity),
            verb,
            version,
        })))
    }

    /// The type as it was received.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The same, to keep: a copy costs no allocation.
    pub fn text(&self) -> &Arc<str> {
        &self.0.text
    }

    /// The kind that the event belongs to.
    pub fn kind(&self) -> &KindName {
        &self.0.kind
    }

    /// What happened to the entity.
    pub fn verb(&self) -> &Name {
        &self.0.verb
    }

    /// The version of the event's shape, from 1.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// The type without its version: `<package>.<entity>.<verb>`, the last three names of the NATS subject.
    pub fn unversioned(&self) -> String {
        format!("{}.{}", self.kind(), self.verb())
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who published it: the NATS subject's fourth name, the only identity that a server can enforce.
    pub publisher: Name,
    /// The CloudEvents `source`.
    pub source: String,
    /// The CloudEvents `id`, unique for its publisher and source for ever.
    pub id: String,
    /// The CloudEvents `type`.
    pub event_type: EventType,
    /// The identifier of the entity (CloudEvents `subject`).
    pub subject: String,
    /// Who acted (`authid`); empty where nobody was named.
    pub actor: String,
    /// Every other attribute, as one RFC 8785 object of strings; empty where there is none.
    pub context: String,
    /// The claimed time in microseconds since the Unix epoch, floored; `None` where none was claimed.
    pub occurred_us: Option<i64>,
    /// The bytes of `data`, exactly as received.
    pub data: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_with_and_without_version() {
        let plain = EventType::parse("release.git_tag.moved").expect("legal");
        assert_eq!(
            (plain.version(), plain.unversioned().as_str()),
            (1, "release.git_tag.moved")
        );
        let second = EventType::parse("release.git_tag.moved.v2").expect("legal");
        assert_eq!(
            (second.version(), second.as_str()),
            (2, "release.git_tag.moved.v2")
        );
        for wrong in [
            "a.b",
            "a.b.c.d",
            "a.b.c.v0",
            "a.b.c.v01",
            "a.b.c.v1.v1",
            "A.b.c",
            "a..c",
            "",
            "a.b.c.v",
        ] {
            assert_eq!(EventType::parse(wrong), None, "{wrong}");
        }
    }
}

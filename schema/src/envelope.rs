//! The envelope: CloudEvents 1.0 over NATS, structured or binary, and the rules of its attributes.

use std::borrow::Cow;

use fluent_uri::UriRef;
use percent_encoding::percent_decode;

use crate::canonical;
use crate::json::{self, Holds, Member};
use crate::message::Message;
use crate::time;

/// The attributes that have a place of their own; every other one is of the context.
const TABLE: [&str; 8] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "authid",
];

/// How a message carries its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The body is a JSON object of attributes and `data`.
    Structured,
    /// Attributes are `ce-…` headers, the body is `data`.
    Binary,
}

impl Mode {
    /// The mode of a message, or `None` where it is no event. A batch is none.
    pub fn of(message: &Message) -> Option<Self> {
        let mut binary = false;
        for (name, value) in &message.headers {
            if name.eq_ignore_ascii_case("content-type") {
                if starts_with(value, b"application/cloudevents")
                    && !starts_with(value, b"application/cloudevents-batch")
                {
                    return Some(Self::Structured);
                }
            } else {
                binary |= name.eq_ignore_ascii_case("ce-specversion");
            }
        }
        if binary {
            return Some(Self::Binary);
        }
        let body = message
            .body
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(&message.body);
        let first = body
            .iter()
            .find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        let sniffed =
            first == Some(&b'{') && memchr::memmem::find(body, b"\"specversion\"").is_some();
        sniffed.then_some(Self::Structured)
    }

    /// What the body holds in this mode.
    pub fn holds(self) -> Holds {
        match self {
            Self::Structured => Holds::Attributes,
            Self::Binary => Holds::Data,
        }
    }
}

fn starts_with(value: &[u8], prefix: &[u8]) -> bool {
    value
        .get(..prefix.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// What an attribute was given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given<'a> {
    /// Text without control characters.
    Text(Cow<'a, str>),
    /// A boolean or an integer of 32 bits in CloudEvents' canonical form, for attributes of the context alone.
    Scalar(Cow<'a, str>),
    /// Anything else.
    Malformed,
}

/// An attribute as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    name: Cow<'a, str>,
    given: Given<'a>,
}

/// The attributes of a structured message in document order, without those that are `null`.
pub fn structured<'a>(members: &[Member<'a>]) -> Vec<Attribute<'a>> {
    let attributes = members
        .iter()
        .filter(|member| member.key.as_ref() != b"data");
    let present = attributes.filter(|member| member.value != b"null");
    present
        .map(|member| {
            let given = if is_attribute_name(&member.key) {
                of_json(member.value)
            } else {
                Given::Malformed
            };
            Attribute {
                name: lossy(member.key.clone()),
                given,
            }
        })
        .collect()
}

fn of_json(value: &[u8]) -> Given<'_> {
    match value {
        [b'"', raw @ .., b'"'] => text_of(json::unescape(raw)),
        b"true" => Given::Scalar("true".into()),
        b"false" => Given::Scalar("false".into()),
        _ => {
            let number = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.parse::<i32>().ok());
            number.map_or(Given::Malformed, |number| {
                Given::Scalar(number.to_string().into())
            })
        }
    }
}

/// The attributes of a binary message by lower-case name; what is given twice is malformed.
pub fn binary(message: &Message) -> Vec<Attribute<'_>> {
    let mut attributes: Vec<Attribute<'_>> = Vec::with_capacity(message.headers.len());
    for (header, value) in &message.headers {
        if header.eq_ignore_ascii_case("content-type") {
            let given = text_of(Cow::Borrowed(value));
            attributes.push(Attribute {
                name: "datacontenttype".into(),
                given,
            });
        } else if let Some(name) = attribute_name(header) {
            // `ce-data` would be the data given twice.
            let legal = is_attribute_name(name.as_bytes()) && name != "data";
            let given = if legal {
                of_header(value)
            } else {
                Given::Malformed
            };
            attributes.push(Attribute { name, given });
        }
    }
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    // All of them: headers of different letters have no order, so none of them is the first.
    for twice in attributes.chunk_by_mut(|one, other| one.name == other.name) {
        if twice.len() > 1 {
            for attribute in twice {
                attribute.given = Given::Malformed;
            }
        }
    }
    attributes
}

/// The lower-case rest of a header's name after `ce-`.
fn attribute_name(header: &str) -> Option<Cow<'_, str>> {
    let (prefix, name) = header.split_at_checked(3)?;
    prefix.eq_ignore_ascii_case("ce-").then(|| {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        }
    })
}

fn of_header(value: &[u8]) -> Given<'_> {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let digits = rest.get(at + 1..at + 3).unwrap_or_default();
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Given::Malformed;
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    text_of(percent_decode(value).into())
}

fn text_of(bytes: Cow<'_, [u8]>) -> Given<'_> {
    if bytes.iter().any(u8::is_ascii_control) {
        return Given::Malformed;
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.map_or(Given::Malformed, Given::Text)
}

fn lossy(bytes: Cow<'_, [u8]>) -> Cow<'_, str> {
    match bytes {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn is_attribute_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The attributes that the ledger has a place for, judged one by one; `None` where one is absent or wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope<'a> {
    specversion: bool,
    /// `id`: 1 to 128 characters.
    pub id: Option<Cow<'a, str>>,
    /// `source`: a URI reference of 1 to 512 characters.
    pub source: Option<Cow<'a, str>>,
    /// `type`: any text; its form is judged later.
    pub event_type: Option<Cow<'a, str>>,
    /// `subject`: 1 to 256 characters, 512 for package `ledger`.
    pub subject: Option<Cow<'a, str>>,
    /// `authid`: 1 to 256 characters.
    pub actor: Option<Cow<'a, str>>,
    /// `time` in microseconds since the epoch, floored.
    pub occurred_us: Option<i64>,
    /// Every other attribute that is not wrong, as one RFC 8785 object of strings; empty where there is none.
    pub context: String,
    /// The first attribute, in the order given, that is wrong.
    pub wrong: Option<String>,
}

impl<'a> Envelope<'a> {
    /// Judges attributes in the order given.
    pub fn of(attributes: Vec<Attribute<'a>>) -> Self {
        let is_ledgers = attributes.iter().any(|attribute| {
            attribute.name == "type"
                && matches!(&attribute.given, Given::Text(text) if text.starts_with("ledger."))
        });
        let longest_subject = if is_ledgers { 512 } else { 256 };
        let mut envelope = Self::default();
        let mut context = Vec::new();
        for Attribute { name, given } in attributes {
            let text = match given {
                Given::Text(text) => Some(text),
                // The table's attributes are texts; only the context has other types.
                Given::Scalar(text) if !TABLE.contains(&name.as_ref()) => Some(text),
                Given::Scalar(_) | Given::Malformed => None,
            };
            let accepted = text.is_some_and(|text| match name.as_ref() {
                "specversion" => {
                    envelope.specversion = text == "1.0";
                    envelope.specversion
                }
                "id" => put(&mut envelope.id, text, 128),
                "source" => UriRef::parse(&*text).is_ok() && put(&mut envelope.source, text, 512),
                "type" => envelope.event_type.replace(text).is_none(),
                "subject" => put(&mut envelope.subject, text, longest_subject),
                "time" => {
                    envelope.occurred_us = time::parse_rfc3339_us(&text);
                    envelope.occurred_us.is_some()
                }
                "datacontenttype" => is_json(&text),
                "authid" => put(&mut envelope.actor, text, 256),
                _ => {
                    context.push((name.clone(), text));
                    true
                }
            });
            if !accepted {
                envelope.wrong.get_or_insert_with(|| name.into_owned());
            }
        }
        envelope.context = context_of(context);
        envelope
    }

    /// The first attribute that is wrong or, where none is, missing in the order of FORMATS.md 1.
    pub fn offending(&self) -> Option<&str> {
        self.wrong.as_deref().or_else(|| {
            let required = [
                ("specversion", self.specversion),
                ("id", self.id.is_some()),
                ("source", self.source.is_some()),
                ("type", self.event_type.is_some()),
                ("subject", self.subject.is_some()),
            ];
            required
                .into_iter()
                .find(|(_, present)| !present)
                .map(|(name, _)| name)
        })
    }
}

/// Keeps a text of 1 to `longest` characters.
fn put<'a>(place: &mut Option<Cow<'a, str>>, text: Cow<'a, str>, longest: usize) -> bool {
    // Bytes first: a short text need not be counted, a hostile one is not counted to its end.
    let fits = text.len() <= longest || text.chars().nth(longest).is_none();
    let legal = fits && !text.is_empty();
    if legal {
        *place = Some(text);
    }
    legal
}

/// Whether a content type is `application/json`, whatever its parameters.
fn is_json(text: &str) -> bool {
    let media = text.split(';').next().unwrap_or_default();
    media
        .trim_matches([' ', '\t'])
        .eq_ignore_ascii_case("application/json")
}

fn context_of(mut context: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> String {
    if context.is_empty() {
        return String::new();
    }
    // Names are ASCII, so the order of bytes is that of UTF-16. The sort is stable.
    context.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut out = String::with_capacity(128);
    for (name, text) in &context {
        out.push(if out.is_empty() { '{' } else { ',' });
        canonical::push_string(&mut out, name);
        out.push(':');
        canonical::push_string(&mut out, text);
    }
    out.push('}');
    out
}

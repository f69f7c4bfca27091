//! Data against the fields of its event, without building a value: this is on the way of every message.
//!
//! What comes here was read already: it is JSON without duplicate keys, at most 64 deep, with numbers in
//! range. Anything else is refused as well, at the outermost place.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::kind::{EventDef, Kind, Members, Shape};
use crate::name::Name;
use crate::named;
use crate::time;

impl Kind {
    /// Checks the data of an event of this kind.
    ///
    /// The error is the JSON pointer (RFC 6901) of the first offending place in document order. A member that
    /// is missing is looked for where its object ends: first come all that are there; last come those that repeat
    /// another and do not say the same. An unknown verb is an error at the whole.
    pub fn check(&self, verb: &Name, data: &[u8]) -> Result<(), String> {
        self.event(verb).ok_or_else(String::new)?.check(data)
    }

    /// Checks a subject: it is the value of the field that identifies the entity, where the kind names one.
    ///
    /// The error is the pointer of that field, whether `data` holds it or not.
    pub fn check_subject(&self, subject: &str) -> Result<(), String> {
        let Some(field) = self.subject_field() else {
            return Ok(());
        };
        let walk = Walk {
            shape: &field.shape,
            trail: &mut Trail::default(),
        };
        walk.visit_str::<serde::de::value::Error>(subject)
            .map(|_| ())
            .map_err(|_| format!("/{}", escaped(&field.name)))
    }
}

impl EventDef {
    /// Checks the data of this event, as [`Kind::check`] does.
    pub fn check(&self, data: &[u8]) -> Result<(), String> {
        let mut trail = Trail::default();
        let mut reader = serde_json::Deserializer::from_slice(data);
        let walk = Event {
            members: &self.members,
            trail: &mut trail,
        };
        let seen = reader
            .deserialize_map(walk)
            .and_then(|seen| reader.end().map(|()| seen));
        let Ok(seen) = seen else {
            return Err(trail.pointer());
        };
        let mut needed = self
            .members
            .required
            .iter()
            .fold(0, |mask, place| mask | bit(*place));
        if !self.members.required_when.is_empty() {
            needed |= conditional(&self.members, data);
        }
        if let Some(name) = missing(&self.members, needed, seen) {
            return Err(format!("/{}", escaped(name)));
        }
        match self.disagreeing(data) {
            Some(name) => Err(format!("/{}", escaped(name))),
            None => Ok(()),
        }
    }
}

/// Checks one value. The error is the pointer of the first offending place.
pub(crate) fn value(shape: &Shape, value: &Value) -> Result<(), String> {
    let mut trail = Trail::default();
    let walk = Walk {
        shape,
        trail: &mut trail,
    };
    match walk.deserialize(value) {
        Ok(Found::Value) => Ok(()),
        Ok(Found::Null) => Err(String::new()),
        Err(_) => Err(trail.pointer()),
    }
}

/// The members that are needed because another has a value. Kinds that have these pay for a second reading.
fn conditional(members: &Members, data: &[u8]) -> u64 {
    let Ok(Value::Object(data)) = serde_json::from_slice::<Value>(data) else {
        return 0;
    };
    let applies = |when: usize, is: &[Value]| {
        let name = members.fields.get(when).map(|field| field.name.as_str());
        match name.and_then(|name| data.get(name)) {
            None | Some(Value::Null) => false,
            Some(value) => is.is_empty() || is.contains(value),
        }
    };
    let needed = members
        .required_when
        .iter()
        .filter(|one| applies(one.when, &one.is));
    needed.fold(0, |mask, one| mask | bit(one.field))
}

fn bit(place: usize) -> u64 {
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place))
        .unwrap_or(0)
}

/// The first member, in the order of the file, that is needed and was not seen.
fn missing(members: &Members, needed: u64, seen: u64) -> Option<&str> {
    let absent = needed & !seen;
    if absent == 0 {
        return None;
    }
    let place = usize::try_from(absent.trailing_zeros()).ok()?;
    Some(members.fields.get(place)?.name.as_str())
}

/// The way to the offending place, from the inside outwards. Empty while all is well.
#[derive(Default)]
struct Trail(Vec<Step>);

enum Step {
    Key(String),
    Index(usize),
}

impl Trail {
    fn key(&mut self, key: &str) {
        self.0.push(Step::Key(key.to_owned()));
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in self.0.iter().rev() {
            pointer.push('/');
            match step {
                Step::Key(key) => pointer.push_str(&escaped(key)),
                // Writing to a String does not fail.
                Step::Index(index) => {
                    let _ = write!(pointer, "{index}");
                }
            }
        }
        pointer
    }
}

/// RFC 6901, section 3.
fn escaped(key: &str) -> Cow<'_, str> {
    if key.contains(['~', '/']) {
        Cow::Owned(key.replace('~', "~0").replace('/', "~1"))
    } else {
        Cow::Borrowed(key)
    }
}

/// What stood at a place that was accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Value,
    Null,
}

/// Reads one value against a shape.
struct Walk<'s, 't> {
    shape: &'s Shape,
    trail: &'t mut Trail,
}

fn accept<E: Error>(holds: bool) -> Result<Found, E> {
    if holds {
        Ok(Found::Value)
    } else {
        Err(E::custom("not accepted"))
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        if matches!(self.shape, Shape::Any) {
            return reader.deserialize_option(AnyValue);
        }
        reader.deserialize_any(self)
    }
}

/// Anything, but told apart from null.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_none<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Found, D::Error> {
        reader
            .deserialize_ignored_any(IgnoredAny)
            .map(|_| Found::Value)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.type_name())
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found, E> {
        accept(matches!(self.shape, Shape::Boolean | Shape::Scalar))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
        accept(match self.shape {
            Shape::Integer(bounds) => bounds.hold(number),
            Shape::Number(bounds) => bounds.hold(as_double(number)),
            other => matches!(other, Shape::Scalar | Shape::Amount),
        })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => accept(false),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Found, E> {
        accept(match self.shape {
            Shape::Number(bounds) => bounds.hold(number),
            // `-0` is an integer, and arrives here because no integer of Rust's is negative zero.
            Shape::Integer(bounds) => number == 0.0 && number.is_sign_negative() && bounds.hold(0),
            other => matches!(other, Shape::Scalar | Shape::Amount),
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        accept(match self.shape {
            Shape::Scalar => true,
            Shape::String { size, pattern } => {
                let unbounded = size.min.is_none() && size.max.is_none();
                (unbounded || size.hold(count(text.chars().count())))
                    && pattern.as_ref().is_none_or(|pattern| pattern.matches(text))
            }
            Shape::Amount => is_amount(text),
            Shape::Timestamp => time::parse_rfc3339_us(text).is_some(),
            Shape::Uuid => is_uuid(text),
            Shape::Enum(values) => values.iter().any(|value| value == text),
            Shape::Entity(_) => !text.is_empty(),
            _ => false,
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found, A::Error> {
        let Shape::Array { of, size } = self.shape else {
            return accept(false);
        };
        let mut index = 0;
        loop {
            match items.next_element_seed(Walk {
                shape: of,
                trail: self.trail,
            }) {
                Ok(None) => break,
                Ok(Some(Found::Value)) => index += 1,
                Ok(Some(Found::Null)) => {
                    self.trail.0.push(Step::Index(index));
                    return accept(false);
                }
                Err(error) => {
                    self.trail.0.push(Step::Index(index));
                    return Err(error);
                }
            }
        }
        accept(size.hold(count(index)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Found, A::Error> {
        match self.shape {
            Shape::Object(members) => {
                let seen = object(members, self.trail, &mut entries)?;
                let needed = members
                    .required
                    .iter()
                    .fold(0, |mask, place| mask | bit(*place));
                match missing(members, needed, seen) {
                    Some(name) => {
                        self.trail.key(name);
                        accept(false)
                    }
                    None => accept(true),
                }
            }
            Shape::Map { of, size } => {
                let mut present = 0;
                while let Some(key) = entries.next_key_seed(Key)? {
                    match entries.next_value_seed(Walk {
                        shape: of,
                        trail: self.trail,
                    }) {
                        Ok(Found::Value) => present += 1,
                        Ok(Found::Null) => {}
                        Err(error) => {
                            self.trail.key(&key);
                            return Err(error);
                        }
                    }
                }
                accept(size.hold(present))
            }
            Shape::Entity(templates) => {
                let mut members = serde_json::Map::new();
                while let Some((key, value)) = entries.next_entry::<String, Value>()? {
                    members.insert(key, value);
                }
                accept(named::identifier(templates, &members).is_some())
            }
            _ => accept(false),
        }
    }
}

/// Reads the members of an object and gives the places of those that are there.
fn object<'de, A: MapAccess<'de>>(
    members: &Members,
    trail: &mut Trail,
    entries: &mut A,
) -> Result<u64, A::Error> {
    let mut seen = 0;
    while let Some(key) = entries.next_key_seed(Member { members })? {
        match key {
            Known::Place(place, shape) => match entries.next_value_seed(Walk { shape, trail }) {
                Ok(Found::Value) => seen |= bit(place),
                Ok(Found::Null) => {}
                Err(error) => {
                    trail.key(members.fields.get(place).map_or("", |field| &field.name));
                    return Err(error);
                }
            },
            Known::Additional => {
                entries.next_value::<IgnoredAny>()?;
            }
            Known::Refused(name) => {
                trail.key(&name);
                return Err(A::Error::custom("not accepted"));
            }
        }
    }
    Ok(seen)
}

/// The outermost object: gives what was seen, so that conditions can be added to what is required.
struct Event<'s, 't> {
    members: &'s Members,
    trail: &'t mut Trail,
}

impl<'de> Visitor<'de> for Event<'_, '_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<u64, A::Error> {
        object(self.members, self.trail, &mut entries)
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// A member's name, looked up without copying it.
struct Member<'s> {
    members: &'s Members,
}

enum Known<'s> {
    Place(usize, &'s Shape),
    Additional,
    Refused(String),
}

impl<'de, 's> DeserializeSeed<'de> for Member<'s> {
    type Value = Known<'s>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'s> Visitor<'_> for Member<'s> {
    type Value = Known<'s>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(match self.members.find(key) {
            Some((place, field)) => Known::Place(place, &field.shape),
            None if self.members.additional => Known::Additional,
            None => Known::Refused(key.to_owned()),
        })
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "JSON compares numbers as doubles; bounds are small"
)]
fn as_double(number: i64) -> f64 {
    number as f64
}

/// A decimal number, a `%` after it or not.
fn is_amount(text: &str) -> bool {
    let number = text.strip_suffix('%').unwrap_or(text);
    let number = number.strip_prefix('-').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 32 && digits(whole) && digits(fraction)
}

/// RFC 9562, section 4: hexadecimal digits of either case in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

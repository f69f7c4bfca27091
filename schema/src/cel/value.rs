//! The values that a condition is judged with. They borrow what the fold holds; nothing is copied to be looked at.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::Map;

use crate::entity::View;
use crate::time;

/// A value. `Json` is an array or an object; everything else has a variant of its own.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    /// µs since the epoch.
    Time(i64),
    /// µs.
    Span(i64),
    Json(&'a serde_json::Value),
    Object(&'a Map<String, serde_json::Value>),
    List(Rc<[Value<'a>]>),
    Entity(&'a View<'a>),
    Entities(&'a [View<'a>]),
    Event,
}

impl<'a> Value<'a> {
    /// A JSON value as it is.
    pub(crate) fn of(json: &'a serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Int(integer),
                None => number.as_f64().map_or(Self::Null, Self::Double),
            },
            serde_json::Value::String(text) => Self::Text(Cow::Borrowed(text)),
            other => Self::Json(other),
        }
    }

    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// How many items; nothing has none.
    pub(crate) fn length(&self) -> Option<usize> {
        Some(match self {
            Self::Null => 0,
            Self::Json(serde_json::Value::Array(items)) => items.len(),
            Self::List(items) => items.len(),
            Self::Entities(items) => items.len(),
            _ => return None,
        })
    }

    /// The item at a place.
    pub(crate) fn item(&self, place: usize) -> Option<Self> {
        match self {
            Self::Json(serde_json::Value::Array(items)) => items.get(place).map(Value::of),
            Self::List(items) => items.get(place).cloned(),
            Self::Entities(items) => items.get(place).map(Value::Entity),
            _ => None,
        }
    }

    /// The members of an object.
    pub(crate) fn members(&self) -> Option<&'a Map<String, serde_json::Value>> {
        match self {
            Self::Json(serde_json::Value::Object(members)) => Some(members),
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Text as the moment that it names; other values as they are.
    pub(crate) fn into_time(self) -> Option<Self> {
        match self {
            Self::Text(text) => time::parse_rfc3339_us(&text).map(Self::Time),
            other => Some(other),
        }
    }

    /// Whether the two are equal, as CEL has it: numbers by their value, values of different types never.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) | (Self::Event, Self::Event) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Time(a), Self::Time(b)) | (Self::Span(a), Self::Span(b)) => a == b,
            (Self::Entity(a), Self::Entity(b)) => a.kind == b.kind && a.id == b.id,
            (Self::Int(_) | Self::Double(_), Self::Int(_) | Self::Double(_)) => {
                self.compare(other) == Some(Ordering::Equal)
            }
            _ => match (self.members(), other.members()) {
                (Some(a), Some(b)) => {
                    a.len() == b.len()
                        && a.iter().all(|(name, value)| {
                            let same = |there| Value::of(value).equals(&Value::of(there));
                            b.get(name).is_some_and(same)
                        })
                }
                (None, None) => self.same_items(other),
                _ => false,
            },
        }
    }

    fn same_items(&self, other: &Self) -> bool {
        let scalar = self.is_null() || other.is_null();
        match (self.length(), other.length()) {
            (Some(a), Some(b)) if a == b && !scalar => (0..a).all(|place| {
                let pair = self.item(place).zip(other.item(place));
                pair.is_some_and(|(a, b)| a.equals(&b))
            }),
            _ => false,
        }
    }

    /// Their order; `None` where they have none.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b))
            | (Self::Time(a), Self::Time(b))
            | (Self::Span(a), Self::Span(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Double(b)) => order(*a, *b),
            (Self::Double(a), Self::Int(b)) => order(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// As JSON; an entity is its identifier.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null | Self::Event => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Double(value) => (*value).into(),
            Self::Text(text) => text.to_string().into(),
            Self::Time(us) => time::format_us(*us).into(),
            Self::Span(us) => (*us).into(),
            Self::Json(value) => (*value).clone(),
            Self::Object(members) => serde_json::Value::Object((*members).clone()),
            Self::Entity(view) => view.id.into(),
            Self::List(_) | Self::Entities(_) => {
                let places = 0..self.length().unwrap_or(0);
                places
                    .filter_map(|place| self.item(place))
                    .map(|item| item.to_json())
                    .collect()
            }
        }
    }

    /// The text under which an index keeps it; what has none is nothing that can be looked up.
    pub(crate) fn index_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Double(value) => Some(value.to_string()),
            Self::Entity(view) => Some(view.id.to_owned()),
            _ => None,
        }
    }

    /// What type it is, for messages.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Double(_) => "number",
            Self::Text(_) => "text",
            Self::Time(_) => "timestamp",
            Self::Span(_) => "duration",
            Self::Json(serde_json::Value::Array(_)) | Self::List(_) | Self::Entities(_) => "list",
            Self::Json(_) | Self::Object(_) => "object",
            Self::Entity(_) => "entity",
            Self::Event => "event",
        }
    }
}

/// Doubles that integers reach exactly: beyond it, an integer's nearest double may be another number.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// An integer beside a double, without rounding.
fn order(integer: i64, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    if double >= TWO_TO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_TO_63 {
        return Some(Ordering::Greater);
    }
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the double lies within the integers, and its fraction is compared below"
    )]
    let whole = double.trunc() as i64;
    Some(integer.cmp(&whole).then_with(|| {
        let fraction = double.fract();
        0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal)
    }))
}

/// The nearest double.
pub(crate) fn to_double(integer: i64) -> f64 {
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "the nearest double is what is asked for"
    )]
    let double = integer as f64;
    double
}

/// Reads a duration: numbers with units `d`, `h`, `m`, `s`, `ms`, `us` in that order, e.g. `1d12h` or `1.5h`.
pub fn parse_span_us(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    let mut largest = i64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let (unit, length) = [
            ("ms", 1_000),
            ("us", 1),
            ("d", 86_400_000_000),
            ("h", 3_600_000_000),
            ("m", 60_000_000),
            ("s", 1_000_000),
        ]
        .into_iter()
        .find(|(unit, _)| after.starts_with(unit))?;
        if length >= largest {
            return None;
        }
        largest = length;
        total = total.checked_add(scaled(number, length)?)?;
        rest = after.get(unit.len()..)?;
    }
    (!text.is_empty() && text != "-").then_some(if negative { -total } else { total })
}

/// A decimal number times a length; what is finer than a microsecond is floored.
fn scaled(number: &str, length: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut total = whole.parse::<i64>().ok()?.checked_mul(length)?;
    let mut part = length;
    let mut rest: i64 = 0;
    for digit in fraction.chars() {
        let digit = i64::from(digit.to_digit(10)?);
        rest = rest.checked_add(part.checked_mul(digit)? / 10)?;
        part /= 10;
    }
    total = total.checked_add(rest)?;
    Some(total)
}

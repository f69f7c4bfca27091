//! The functions that conditions may call: what they take, what they give, what they do.

use std::borrow::Cow;
use std::rc::Rc;

use super::eval::Failure;
use super::types::Type;
use super::value::{Value, parse_span_us, to_double};
use crate::time;

/// A function. Its first argument may stand before its name: `name.startsWith("x")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    Split,
    Replace,
    Timestamp,
    Duration,
    Int,
    Double,
    String,
    Abs,
    TypeOf,
    /// Names of environments differ between packages; this gives the one that all of them mean.
    Alias,
    IsSemver,
    SemverCompare,
    IsRelativePath,
    InOrder,
    AllDifferent,
    UrlScheme,
    UrlHost,
    UrlPath,
}

/// What a function asks of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Any,
    Text,
    List,
    TextOrList,
    NumberOrSpan,
}

impl Takes {
    pub(crate) fn accepts(self, given: &Type) -> bool {
        match given {
            Type::Any | Type::Null => true,
            Type::Text | Type::OneOf(_) => {
                matches!(self, Self::Any | Self::Text | Self::TextOrList)
            }
            Type::List(_) => matches!(self, Self::Any | Self::List | Self::TextOrList),
            Type::Map(_) | Type::Object(_) => matches!(self, Self::Any | Self::TextOrList),
            Type::Int | Type::Number | Type::Span => {
                matches!(self, Self::Any | Self::NumberOrSpan)
            }
            _ => self == Self::Any,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Text => "text",
            Self::List => "a list",
            Self::TextOrList => "text, a list or a map",
            Self::NumberOrSpan => "a number or a duration",
        }
    }
}

impl Function {
    /// Every function by its name, with what it takes.
    pub(crate) const ALL: &'static [(&'static str, Self, &'static [Takes])] = &[
        ("size", Self::Size, &[Takes::TextOrList]),
        ("startsWith", Self::StartsWith, &[Takes::Text, Takes::Text]),
        ("endsWith", Self::EndsWith, &[Takes::Text, Takes::Text]),
        ("contains", Self::Contains, &[Takes::Text, Takes::Text]),
        ("lowerAscii", Self::LowerAscii, &[Takes::Text]),
        ("split", Self::Split, &[Takes::Text, Takes::Text]),
        (
            "replace",
            Self::Replace,
            &[Takes::Text, Takes::Text, Takes::Text],
        ),
        ("timestamp", Self::Timestamp, &[Takes::Any]),
        ("duration", Self::Duration, &[Takes::Any]),
        ("int", Self::Int, &[Takes::Any]),
        ("double", Self::Double, &[Takes::Any]),
        ("string", Self::String, &[Takes::Any]),
        ("abs", Self::Abs, &[Takes::NumberOrSpan]),
        ("type_of", Self::TypeOf, &[Takes::Any]),
        ("alias", Self::Alias, &[Takes::Text, Takes::Text]),
        ("is_semver", Self::IsSemver, &[Takes::Text]),
        (
            "semver_compare",
            Self::SemverCompare,
            &[Takes::Text, Takes::Text],
        ),
        ("is_relative_path", Self::IsRelativePath, &[Takes::Text]),
        ("in_order", Self::InOrder, &[Takes::List, Takes::List]),
        ("all_different", Self::AllDifferent, &[Takes::List]),
        ("url_scheme", Self::UrlScheme, &[Takes::Text]),
        ("url_host", Self::UrlHost, &[Takes::Text]),
        ("url_path", Self::UrlPath, &[Takes::Text]),
    ];

    /// What it gives.
    pub(crate) fn gives(self, first: &Type) -> Type {
        match self {
            Self::Size | Self::Int | Self::SemverCompare => Type::Int,
            Self::StartsWith
            | Self::EndsWith
            | Self::Contains
            | Self::IsSemver
            | Self::IsRelativePath
            | Self::InOrder
            | Self::AllDifferent => Type::Bool,
            Self::Split => Type::List(Box::new(Type::Text)),
            Self::Timestamp => Type::Time,
            Self::Duration => Type::Span,
            Self::Double => Type::Number,
            Self::Abs => match first {
                Type::Int | Type::Number | Type::Span => first.clone(),
                _ => Type::Any,
            },
            Self::LowerAscii
            | Self::Replace
            | Self::String
            | Self::TypeOf
            | Self::Alias
            | Self::UrlScheme
            | Self::UrlHost
            | Self::UrlPath => Type::Text,
        }
    }

    /// What a call costs beyond its own step: texts and lists are gone through.
    pub(crate) fn cost(self, arguments: &[Value<'_>]) -> u64 {
        let of = |value: &Value<'_>| match value {
            Value::Text(text) => text.len() / 64,
            other => other.length().unwrap_or(0),
        };
        let linear: usize = arguments.iter().map(of).sum();
        let cost = match self {
            Self::Size => 0,
            // Every item beside every other.
            Self::AllDifferent => linear.saturating_mul(linear),
            Self::InOrder => linear.saturating_mul(2),
            // Without a separator every character is a text of its own.
            Self::Split => linear.saturating_mul(64),
            _ => linear,
        };
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Calls it. `aliases` are the settings' names of environments.
    pub(crate) fn call<'a>(
        self,
        arguments: &[Value<'a>],
        aliases: &serde_json::Value,
    ) -> Result<Value<'a>, Failure> {
        let first = arguments.first().unwrap_or(&Value::Null);
        let second = arguments.get(1).unwrap_or(&Value::Null);
        match self {
            Self::Size => size(first),
            Self::StartsWith => Ok(both(first, second, |a, b| a.starts_with(b))?),
            Self::EndsWith => Ok(both(first, second, |a, b| a.ends_with(b))?),
            Self::Contains => Ok(both(first, second, |a, b| a.contains(b))?),
            Self::Timestamp => first
                .clone()
                .into_time()
                .filter(is_time)
                .ok_or_else(|| odd(first)),
            Self::Duration => span(first),
            Self::Int => integer(first),
            Self::Double => double(first),
            Self::String => string(first),
            Self::Abs => abs(first),
            Self::TypeOf => Ok(Value::text(first.type_name())),
            Self::InOrder => in_order(first, second),
            Self::AllDifferent => all_different(first),
            Self::IsSemver => Ok(Value::Bool(text(first).is_ok_and(|t| version(t).is_some()))),
            Self::IsRelativePath => Ok(Value::Bool(text(first).is_ok_and(is_relative_path))),
            _ if first.is_null() => Ok(Value::Null),
            Self::LowerAscii => Ok(Value::text(text(first)?.to_ascii_lowercase())),
            Self::Split => Ok(split(text(first)?, text(second)?)),
            Self::Replace => {
                let with = text(arguments.get(2).unwrap_or(&Value::Null))?;
                replace(text(first)?, text(second)?, with)
            }
            Self::Alias => Ok(alias(text(first)?, second, aliases)),
            Self::SemverCompare => {
                let (a, b) = (version(text(first)?), version(text(second)?));
                let (a, b) = a.zip(b).ok_or_else(|| odd(first))?;
                // Precedence, in which build metadata does not count.
                let order = a.cmp_precedence(&b);
                Ok(Value::Int(i64::from(
                    i8::from(order.is_gt()) - i8::from(order.is_lt()),
                )))
            }
            Self::UrlScheme | Self::UrlHost | Self::UrlPath => Ok(self.of_url(text(first)?)),
        }
    }

    fn of_url<'a>(self, text: &str) -> Value<'a> {
        let Ok(uri) = fluent_uri::Uri::parse(text) else {
            return Value::Null;
        };
        let part = match self {
            Self::UrlScheme => Some(uri.scheme().as_str().to_ascii_lowercase()),
            Self::UrlHost => uri.authority().map(|one| one.host().to_ascii_lowercase()),
            _ => Some(uri.path().as_str().to_owned()),
        };
        part.map_or(Value::Null, Value::text)
    }
}

fn is_time(value: &Value<'_>) -> bool {
    matches!(value, Value::Time(_))
}

fn odd(value: &Value<'_>) -> Failure {
    Failure::Type(value.type_name())
}

fn text<'v>(value: &'v Value<'_>) -> Result<&'v str, Failure> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(odd(other)),
    }
}

/// A question of two texts; to it the answer is no where there is none.
fn both<'a>(
    first: &Value<'a>,
    second: &Value<'a>,
    asks: impl Fn(&str, &str) -> bool,
) -> Result<Value<'a>, Failure> {
    if first.is_null() || second.is_null() {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(asks(text(first)?, text(second)?)))
}

/// The length: of text in Unicode scalar values.
fn size<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    let length = match value {
        Value::Text(text) => text.chars().count(),
        other => match other.members() {
            Some(members) => members.len(),
            None => other.length().ok_or_else(|| odd(other))?,
        },
    };
    i64::try_from(length)
        .map(Value::Int)
        .map_err(|_| Failure::Overflow)
}

fn span<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Span(span) => Ok(Value::Span(*span)),
        Value::Text(text) => parse_span_us(text)
            .map(Value::Span)
            .ok_or_else(|| odd(value)),
        other => Err(odd(other)),
    }
}

/// Truncates towards zero, as CEL does; a moment becomes seconds.
fn integer<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    let parsed = match value {
        Value::Int(integer) => Some(*integer),
        Value::Double(double) if double.abs() < 9.2e18 => {
            // A decimal text is exact for what lies within the integers.
            format!("{:.0}", double.trunc()).parse().ok()
        }
        Value::Text(text) => text.parse().ok(),
        Value::Time(us) => Some(us.div_euclid(1_000_000)),
        other => return Err(odd(other)),
    };
    parsed.map(Value::Int).ok_or(Failure::Overflow)
}

fn double<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(integer) => Ok(Value::Double(to_double(*integer))),
        Value::Double(double) => Ok(Value::Double(*double)),
        Value::Text(text) => {
            let parsed: Result<f64, _> = text.parse();
            parsed
                .ok()
                .filter(|one| one.is_finite())
                .map(Value::Double)
                .ok_or_else(|| odd(value))
        }
        other => Err(odd(other)),
    }
}

fn string<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Text(_) => Ok(value.clone()),
        Value::Time(us) => Ok(Value::text(time::format_us(*us))),
        other => other
            .index_text()
            .map(Value::text)
            .ok_or_else(|| odd(other)),
    }
}

fn abs<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(integer) => integer
            .checked_abs()
            .map(Value::Int)
            .ok_or(Failure::Overflow),
        Value::Span(span) => span.checked_abs().map(Value::Span).ok_or(Failure::Overflow),
        Value::Double(double) => Ok(Value::Double(double.abs())),
        other => Err(odd(other)),
    }
}

fn split<'a>(text: &str, by: &str) -> Value<'a> {
    let parts: Vec<Value<'a>> = if by.is_empty() {
        text.chars().map(|c| Value::text(c.to_string())).collect()
    } else {
        text.split(by)
            .map(|part| Value::text(part.to_owned()))
            .collect()
    };
    Value::List(Rc::from(parts))
}

/// Refused where the text would grow out of bounds: an event's data is at most 256 KiB.
fn replace<'a>(text: &str, what: &str, with: &str) -> Result<Value<'a>, Failure> {
    let times = text.matches(what).count();
    if times.saturating_mul(with.len()) > 1 << 18 {
        return Err(Failure::Budget);
    }
    Ok(Value::Text(Cow::Owned(text.replace(what, with))))
}

/// Whether the items of the first list stand in the second, in its order. A list of its own may leave some out.
fn in_order<'a>(items: &Value<'a>, order: &Value<'a>) -> Result<Value<'a>, Failure> {
    let length = items.length().ok_or_else(|| odd(items))?;
    let steps = order.length().ok_or_else(|| odd(order))?;
    let mut place = 0;
    for item in (0..length).filter_map(|place| items.item(place)) {
        while place < steps && !order.item(place).is_some_and(|step| step.equals(&item)) {
            place += 1;
        }
        if place == steps {
            return Ok(Value::Bool(false));
        }
        place += 1;
    }
    Ok(Value::Bool(true))
}

fn all_different<'a>(items: &Value<'a>) -> Result<Value<'a>, Failure> {
    let length = items.length().ok_or_else(|| odd(items))?;
    let all: Vec<Value<'a>> = (0..length).filter_map(|place| items.item(place)).collect();
    let twice = all.iter().enumerate().any(|(place, item)| {
        let mut before = all.iter().take(place);
        before.any(|other| other.equals(item))
    });
    Ok(Value::Bool(!twice))
}

/// A version, with or without a path and a `v` before it: `api/v1.2.3-beta.1`.
fn version(text: &str) -> Option<semver::Version> {
    let last = text.rsplit('/').next()?;
    semver::Version::parse(last.strip_prefix('v').unwrap_or(last)).ok()
}

/// Neither from the root nor out of it, on any system.
fn is_relative_path(text: &str) -> bool {
    let drive = text.as_bytes().get(1) == Some(&b':');
    let climbs = text.split(['/', '\\']).any(|part| part == "..");
    !text.is_empty() && !text.starts_with(['/', '\\', '~']) && !drive && !climbs
}

/// The setting `aliases` maps names of a package (`"<package>/<name>"`), or of every package, to the name meant.
fn alias<'a>(package: &str, name: &Value<'a>, aliases: &serde_json::Value) -> Value<'a> {
    let Value::Text(own) = name else {
        return Value::Null;
    };
    let named = aliases
        .get(format!("{package}/{own}"))
        .or_else(|| aliases.get(&**own));
    match named.and_then(serde_json::Value::as_str) {
        Some(meant) => Value::text(meant.to_owned()),
        None => name.clone(),
    }
}

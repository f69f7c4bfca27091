//! Settings that rules name: declared in a package's `settings.toml`, with a default each; the activation's settings
//! may say otherwise, within bounds.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cel::node::Constant;
use crate::cel::types::Type;
use crate::cel::value::parse_span_us;
use crate::diagnostic::{Diagnostic, listed};
use crate::load::table::nearest;

/// A setting, as a package declares it.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name, with dots: `grace.incident_link`.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
    /// Its value where nothing else is said.
    pub default: Value,
    /// The smallest value that the activation's settings may give it.
    pub min: Option<Value>,
    /// The largest.
    pub max: Option<Value>,
    /// A value beyond those bounds that it may have all the same, since it turns off what the setting is for.
    pub off: Option<Value>,
    /// What it is for, in a sentence.
    pub about: String,
    /// Its file and line.
    pub(crate) place: (String, usize),
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text such as `24h` or `1d12h`.
    Duration,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
    /// An array of texts.
    Texts,
    /// Texts under names.
    Map,
    /// Arrays of texts under names.
    MapOfTexts,
}

impl Holds {
    /// Every one, by its word in `settings.toml`.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("duration", Self::Duration),
        ("integer", Self::Integer),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("text", Self::Text),
        ("texts", Self::Texts),
        ("map", Self::Map),
        ("map_of_texts", Self::MapOfTexts),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        let word = Self::ALL.iter().find(|(_, one)| *one == self);
        word.map_or("", |(word, _)| word)
    }

    pub(crate) fn accepts(self, value: &Value) -> bool {
        let texts = |value: &Value| {
            value
                .as_array()
                .is_some_and(|items| items.iter().all(Value::is_string))
        };
        match self {
            Self::Duration => value
                .as_str()
                .is_some_and(|text| parse_span_us(text).is_some()),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Text => value.is_string(),
            Self::Texts => texts(value),
            Self::Map => value
                .as_object()
                .is_some_and(|map| map.values().all(Value::is_string)),
            Self::MapOfTexts => value.as_object().is_some_and(|map| map.values().all(texts)),
        }
    }

    fn is_below(self, a: &Value, b: &Value) -> bool {
        if self == Self::Duration {
            let us = |value: &Value| parse_span_us(value.as_str().unwrap_or_default());
            return us(a) < us(b);
        }
        a.as_f64() < b.as_f64()
    }

    fn kind(self) -> Type {
        match self {
            Self::Duration => Type::Span,
            Self::Integer => Type::Int,
            Self::Number => Type::Number,
            Self::Boolean => Type::Bool,
            Self::Text => Type::Text,
            Self::Texts => Type::List(Box::new(Type::Text)),
            Self::Map => Type::Map(Box::new(Type::Text)),
            Self::MapOfTexts => Type::Map(Box::new(Type::List(Box::new(Type::Text)))),
        }
    }

    /// What is wanted, in words.
    pub(crate) fn wanted(self) -> &'static str {
        match self {
            Self::Duration => "a duration, e.g. `\"24h\"` or `\"92d\"`",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "`true` or `false`",
            Self::Text => "a text",
            Self::Texts => "an array of texts",
            Self::Map => "a table of texts",
            Self::MapOfTexts => "a table of arrays of texts",
        }
    }
}

impl Setting {
    /// What is wrong with a value for it, if anything is.
    pub(crate) fn wrong(&self, value: &Value) -> Option<(String, String)> {
        let Self { name, holds, .. } = self;
        if !holds.accepts(value) {
            let message = format!("the setting `{name}` is {value}");
            return Some((message, format!("write {}", holds.wanted())));
        }
        if self.off.as_ref() == Some(value) {
            return None;
        }
        let or_off = |bound: String| match &self.off {
            Some(off) => format!("write {bound}, or {off} to turn it off"),
            None => format!("write {bound}"),
        };
        let below = self.min.as_ref().filter(|min| holds.is_below(value, min));
        if let Some(min) = below {
            let message = format!("the setting `{name}` is {value}, below its least, {min}");
            return Some((message, or_off(format!("{min} or more"))));
        }
        let above = self.max.as_ref().filter(|max| holds.is_below(max, value));
        above.map(|max| {
            let message = format!("the setting `{name}` is {value}, above its most, {max}");
            (message, or_off(format!("{max} or less")))
        })
    }
}

/// Every setting of the active packages, with the value that holds.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    known: BTreeMap<String, (Setting, Value)>,
    aliases: Value,
}

/// The setting with the names of environments that mean the same.
const ALIASES: &str = "aliases";

impl Settings {
    /// The declared settings with what the activation says of them. What is wrong with it goes to `found`.
    pub(crate) fn of<'s>(
        declared: impl Iterator<Item = &'s Setting>,
        given: &Value,
        found: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut settings = Self::default();
        for setting in declared {
            let name = &setting.name;
            if let Some((other, _)) = settings.known.get(name) {
                let message = format!(
                    "the setting `{name}` is declared in {} already",
                    other.place.0
                );
                let mend = "declare it once; every active package may name it";
                found.push(Diagnostic::new(
                    &setting.place.0,
                    setting.place.1,
                    message,
                    mend,
                ));
                continue;
            }
            let said = name
                .split('.')
                .try_fold(given, |value, part| value.get(part));
            let value = said.unwrap_or(&setting.default);
            if let Some((message, mend)) = setting.wrong(value) {
                found.push(Diagnostic::new("settings", 1, message, mend));
            }
            settings
                .known
                .insert(name.clone(), (setting.clone(), value.clone()));
        }
        let aliases = settings.known.get(ALIASES);
        settings.aliases = aliases.map_or(Value::Null, |(_, value)| value.clone());
        settings.unknown(given, "", found);
        settings
    }

    /// Names what no package declares: a setting with a wrong name would be without effect.
    fn unknown(&self, given: &Value, path: &str, found: &mut Vec<Diagnostic>) {
        for (name, value) in given.as_object().into_iter().flatten() {
            let full = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            if path.is_empty() && ["operators", "authorities"].contains(&name.as_str()) {
                continue;
            }
            if self.known.contains_key(&full) {
                continue;
            }
            if self.is_group(&full) && value.is_object() {
                self.unknown(value, &full, found);
                continue;
            }
            let mut names: Vec<&str> = self.names().collect();
            names.extend(["operators", "authorities"]);
            let mend = match nearest(&full, &names) {
                Some(near) => format!("write `{near}`"),
                None => format!("remove it; known are {}", listed(names)),
            };
            let message = format!("no active package has a setting `{full}`");
            found.push(Diagnostic::new("settings", 1, message, mend));
        }
    }

    /// The names of all settings, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    /// Every setting with the value that holds, in the order of the names.
    pub fn all(&self) -> impl Iterator<Item = (&Setting, &Value)> {
        self.known.values().map(|(setting, value)| (setting, value))
    }

    /// The value that holds.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.known.get(name).map(|(_, value)| value)
    }

    /// A duration's value in µs.
    pub(crate) fn span_us(&self, name: &str) -> Option<i64> {
        parse_span_us(self.get(name)?.as_str()?)
    }

    /// The texts that a setting lists.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let items = self.get(name).and_then(Value::as_array);
        let texts = items.into_iter().flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    pub(crate) fn aliases(&self) -> &Value {
        &self.aliases
    }

    pub(crate) fn is_group(&self, path: &str) -> bool {
        self.known.keys().any(|name| {
            name.strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    pub(crate) fn constant(&self, name: &str) -> Option<(Constant, Type)> {
        let (setting, value) = self.known.get(name)?;
        let constant = match setting.holds {
            Holds::Duration => Constant::Span(parse_span_us(value.as_str()?)?),
            _ => Constant::Json(value.clone()),
        };
        Some((constant, setting.holds.kind()))
    }
}

//! What data says twice or in more than one way: entities that are named, and fields that repeat others.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::identity::Identity;
use crate::kind::{EventDef, Field, Shape};

/// The identifier that the first of these templates makes whose members are all there and not empty.
pub(crate) fn identifier(templates: &[Identity], members: &Map<String, Value>) -> Option<String> {
    let said = |name: &str| match members.get(name) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Number(_)) => true,
        _ => false,
    };
    let mut usable = templates.iter().filter(|one| one.fields().all(said));
    usable.next()?.of(members)
}

/// Whether one of these fields names an entity.
pub(crate) fn any(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.shape.names_entities())
}

impl Shape {
    /// The value with every entity that it names, as an object or not, written as its identifier.
    pub fn plain<'v>(&self, value: &'v Value) -> Cow<'v, Value> {
        if self.names_entities() {
            Cow::Owned(self.rewritten(value))
        } else {
            Cow::Borrowed(value)
        }
    }

    fn names_entities(&self) -> bool {
        match self {
            Self::Entity(_) => true,
            Self::Array { of, .. } | Self::Map { of, .. } => of.names_entities(),
            Self::Object(members) => members.names_entities,
            _ => false,
        }
    }

    fn rewritten(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Entity(templates), Value::Object(members)) => {
                identifier(templates, members).map_or_else(|| value.clone(), Value::from)
            }
            (Self::Array { of, .. }, Value::Array(items)) => {
                Value::Array(items.iter().map(|item| of.rewritten(item)).collect())
            }
            (Self::Map { of, .. }, Value::Object(entries)) => {
                let pairs = entries.iter();
                Value::Object(pairs.map(|(k, v)| (k.clone(), of.rewritten(v))).collect())
            }
            (Self::Object(members), Value::Object(entries)) => {
                let pairs = entries.iter().map(|(name, value)| {
                    let value = match members.find(name) {
                        Some((_, field)) => field.shape.rewritten(value),
                        None => value.clone(),
                    };
                    (name.clone(), value)
                });
                Value::Object(pairs.collect())
            }
            _ => value.clone(),
        }
    }
}

impl EventDef {
    /// The event's data with every entity that it names written as its identifier: what rules and readers go by.
    /// Data that names none is given back as it is.
    pub fn plain<'v>(&self, data: &'v Value) -> Cow<'v, Value> {
        let fields = &self.members.fields;
        let Value::Object(members) = data else {
            return Cow::Borrowed(data);
        };
        if !self.members.names_entities {
            return Cow::Borrowed(data);
        }
        let mut members = members.clone();
        for field in fields {
            if let Some(value) = members.get_mut(&field.name) {
                *value = field.shape.plain(value).into_owned();
            }
        }
        Cow::Owned(Value::Object(members))
    }

    /// The first field, in the order of the file, that repeats another and does not say the same. Kinds that have
    /// such fields pay for a second reading.
    pub(crate) fn disagreeing(&self, data: &[u8]) -> Option<&str> {
        let fields = &self.members.fields;
        if fields.iter().all(|field| field.part.is_none()) {
            return None;
        }
        let data: Map<String, Value> = serde_json::from_slice(data).ok()?;
        let differs = |field: &&Field| {
            let said = data.get(&field.name).filter(|value| !value.is_null());
            let (Some(part), Some(said)) = (&field.part, said) else {
                return false;
            };
            data.get(&part.of).is_some_and(Value::is_string)
                && self.repeated(field, &data).as_ref() != Some(said)
        };
        fields.iter().find(differs).map(|field| field.name.as_str())
    }

    /// Makes the fields that repeat others say the same.
    pub(crate) fn align(&self, data: &mut Map<String, Value>) {
        for field in &self.members.fields {
            let of = field.part.as_ref().map(|part| &part.of);
            if of.is_none_or(|of| !data.contains_key(of)) {
                continue;
            }
            match self.repeated(field, data) {
                Some(value) => data.insert(field.name.clone(), value),
                None => data.remove(&field.name),
            };
        }
    }

    /// What a field must say, by the field that it is a part of; `None` where that has no such part.
    fn repeated(&self, field: &Field, data: &Map<String, Value>) -> Option<Value> {
        let part = field.part.as_ref()?;
        let whole = data.get(&part.of)?.as_str()?;
        let (_, other) = self.members.find(&part.of)?;
        let Shape::String {
            pattern: Some(pattern),
            ..
        } = &other.shape
        else {
            return None;
        };
        let text = pattern.group(&part.group, whole)?;
        match field.shape {
            Shape::Integer(_) => text.parse::<i64>().ok().map(Value::from),
            _ => Some(Value::from(text)),
        }
    }
}

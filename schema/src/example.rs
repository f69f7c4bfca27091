//! Examples: a value for a field, and data for an event that passes its check.

use serde_json::{Map, Value};

use crate::kind::{EventDef, Shape};

/// A plain value of a shape; `name` is what a text says. It may break a pattern or a bound: then the
/// file must give its own example.
pub(crate) fn of(name: &str, shape: &Shape) -> Value {
    match shape {
        Shape::Any | Shape::Scalar | Shape::String { .. } | Shape::Entity(_) => Value::from(name),
        Shape::Integer(bounds) => Value::from(bounds.min.or(bounds.max).unwrap_or(1)),
        Shape::Number(bounds) => Value::from(bounds.min.or(bounds.max).unwrap_or(0.5)),
        Shape::Amount => Value::from("5%"),
        Shape::Boolean => Value::from(true),
        Shape::Timestamp => Value::from("2026-08-02T21:00:01Z"),
        Shape::Uuid => Value::from("6f1c1f7e-7c1b-4a54-9a3e-2f1d0c9b8a76"),
        Shape::Enum(values) => values.first().cloned().map_or(Value::Null, Value::from),
        Shape::Array { of: inner, .. } => Value::from(vec![of(name, inner)]),
        Shape::Map { of: inner, .. } => {
            let mut map = Map::new();
            map.insert("name".to_owned(), of(name, inner));
            Value::Object(map)
        }
        Shape::Object(members) => {
            let pairs = members
                .fields
                .iter()
                .map(|field| (field.name.clone(), field.example.clone()));
            Value::Object(pairs.collect())
        }
    }
}

impl EventDef {
    /// Data for this event that passes its check: every field with its example, in the order of the file.
    pub fn example(&self) -> Value {
        let pairs = self.members.fields.iter().map(|field| {
            let is_to = self.to_field.as_deref() == Some(field.name.as_str());
            let value = match (&self.to, is_to) {
                (Some(to), true) if matches!(field.shape, Shape::Boolean) => {
                    Value::from(to == "true")
                }
                (Some(to), true) => Value::from(to.as_str()),
                _ => field.example.clone(),
            };
            (field.name.clone(), value)
        });
        Value::Object(pairs.collect())
    }
}

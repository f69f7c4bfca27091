//! An event's fields into its entity's attributes: JSON merge patch, RFC 7396.

use serde_json::{Map, Value};

use crate::kind::Kind;
use crate::name::Name;

impl Kind {
    /// Merges what an event says of the entity into its attributes: the fields that the event carries, and those
    /// that its own become where it does not carry them. Its other evidence, the names of statuses and members that
    /// the kind does not know stay in the event alone. An entity that is named is kept as its identifier.
    pub fn merge(&self, attributes: &mut Map<String, Value>, verb: &Name, data: &Value) {
        let (Some(event), Some(data)) = (self.event(verb), data.as_object()) else {
            return;
        };
        for field in event.changes() {
            let Some(patch) = data.get(&field.name) else {
                continue;
            };
            let patch = field.shape.plain(patch);
            if patch.is_null() {
                attributes.remove(&field.name);
            } else {
                let target = attributes.entry(field.name.clone()).or_insert(Value::Null);
                patch_value(target, &patch);
            }
        }
        for field in event.evidence() {
            let said = |name: &str| data.get(name).filter(|value| !value.is_null());
            let Some(name) = field.becomes.as_ref().filter(|name| said(name).is_none()) else {
                continue;
            };
            if let Some(value) = said(&field.name) {
                attributes.insert(name.clone(), field.shape.plain(value).into_owned());
            }
        }
    }
}

/// RFC 7396, section 2.
fn patch_value(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            patch_value(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

//! An event's fields into its entity's attributes: JSON merge patch, RFC 7396.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::kind::{Kind, Times};
use crate::name::Name;
use crate::time;

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

impl Kind {
    /// What an event leaves in its entity beside its data: its actor (none where it is empty) and its own time, in
    /// µs since 1970. `data` is `None` where it was deleted: then what it may have said is left as it is.
    pub fn mark(
        &self,
        attributes: &mut Map<String, Value>,
        verb: &Name,
        data: Option<&Value>,
        actor: &str,
        occurred_us: i64,
    ) {
        let Some(event) = self.event(verb) else {
            return;
        };
        let carries = |name: &str| {
            let mut carried = event.members.fields.iter().take(event.carried);
            carried.any(|field| field.name == name)
        };
        let said = |name: &str| {
            let value = data.map(|data| data.get(name).is_some_and(|value| !value.is_null()));
            carries(name) && value.unwrap_or(true)
        };
        let marks = &event.marks;
        if let Some(name) = marks.time_becomes.as_ref().filter(|name| !said(name)) {
            attributes.insert(name.clone(), time::format_us(occurred_us).into());
        }
        if let (Some(times), Some(data)) = (&marks.times_become, data) {
            mark_times(attributes, times, data, occurred_us);
        }
        if actor.is_empty() {
            return;
        }
        if let Some(name) = marks.actor_becomes.as_ref().filter(|name| !said(name)) {
            attributes.insert(name.clone(), actor.into());
        }
        if let Some(name) = &marks.actor_joins {
            let list = attributes.entry(name.clone()).or_insert(Value::Null);
            match list {
                Value::Array(actors) if actors.iter().any(|one| one == actor) => {}
                Value::Array(actors) => actors.push(actor.into()),
                other => *other = Value::from(vec![actor]),
            }
        }
    }
}

/// Keeps the event's time under every name that it, or else its entity, says.
fn mark_times(attributes: &mut Map<String, Value>, times: &Times, data: &Value, occurred_us: i64) {
    let said = data.as_object();
    let names = times.names.iter().find_map(|path| {
        let mut names = said.map_or_else(Vec::new, |data| path.values(data));
        if names.is_empty() {
            names = path.values(attributes);
        }
        let names: Vec<String> = names.into_iter().map(Cow::into_owned).collect();
        Some(names).filter(|names| !names.is_empty())
    });
    let at = time::format_us(occurred_us);
    let kept = attributes
        .entry(times.field.clone())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(kept) = kept {
        for name in names.into_iter().flatten() {
            if !times.new || !kept.contains_key(&name) {
                kept.insert(name, at.clone().into());
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

//! An event's fields into its entity's attributes: JSON merge patch, RFC 7396.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::kind::{Kind, Times};
use crate::name::Name;
use crate::time;

/// What attributes were before an event, of those that it changed, by their names, each once: null where there was
/// none. Attributes themselves are never null.
pub type Was<'k> = Vec<(&'k str, Value)>;

/// An entity's attributes while an event changes them.
#[derive(Debug)]
pub struct Changing<'k, 'a> {
    attributes: &'a mut Map<String, Value>,
    was: Was<'k>,
}

impl<'k, 'a> Changing<'k, 'a> {
    /// Nothing has changed yet.
    pub fn new(attributes: &'a mut Map<String, Value>) -> Self {
        Self {
            attributes,
            was: Was::new(),
        }
    }

    /// What they were.
    pub fn into_was(self) -> Was<'k> {
        self.was
    }

    fn keep(&mut self, name: &'k str, was: Value) {
        if self.was.iter().all(|(known, _)| *known != name) {
            self.was.push((name, was));
        }
    }

    fn set(&mut self, name: &'k str, value: Cow<'_, Value>) {
        let was = match self.attributes.get_mut(name) {
            Some(said) if *said == *value => return,
            Some(said) => std::mem::replace(said, value.into_owned()),
            None => {
                self.attributes.insert(name.to_owned(), value.into_owned());
                Value::Null
            }
        };
        self.keep(name, was);
    }

    fn remove(&mut self, name: &'k str) {
        if let Some(was) = self.attributes.remove(name) {
            self.keep(name, was);
        }
    }

    /// One that changes in its members or items.
    fn within(&mut self, name: &'k str) -> &mut Value {
        let was = self.attributes.get(name).cloned();
        self.keep(name, was.unwrap_or_default());
        self.attributes.entry(name).or_insert(Value::Null)
    }
}

/// Puts attributes back as they were.
pub fn take_back(attributes: &mut Map<String, Value>, was: Was<'_>) {
    for (name, value) in was {
        if value.is_null() {
            attributes.remove(name);
        } else if let Some(said) = attributes.get_mut(name) {
            *said = value;
        } else {
            attributes.insert(name.to_owned(), value);
        }
    }
}

impl Kind {
    /// Merges what an event says of the entity into its attributes: the fields that the event carries, and those
    /// that its own become where it does not carry them. Its other evidence, the names of statuses and members that
    /// the kind does not know stay in the event alone. An entity that is named is kept as its identifier.
    pub fn merge<'k>(&'k self, attributes: &mut Changing<'k, '_>, verb: &Name, data: &Value) {
        let (Some(event), Some(data)) = (self.event(verb), data.as_object()) else {
            return;
        };
        for (name, patch) in data {
            let Some(field) = event.change(name) else {
                continue;
            };
            let patch = field.shape.plain(patch);
            match *patch {
                Value::Null => attributes.remove(&field.name),
                Value::Object(_) => patch_value(attributes.within(&field.name), &patch),
                _ => attributes.set(&field.name, patch),
            }
        }
        for field in event.evidence() {
            let said = |name: &str| data.get(name).filter(|value| !value.is_null());
            let Some(name) = field.becomes.as_ref().filter(|name| said(name).is_none()) else {
                continue;
            };
            if let Some(value) = said(&field.name) {
                attributes.set(name, field.shape.plain(value));
            }
        }
    }
}

impl Kind {
    /// What an event leaves in its entity beside its data: its actor (none where it is empty) and its own time, in
    /// µs since 1970. `data` is `None` where it was deleted: then what it may have said is left as it is.
    pub fn mark<'k>(
        &'k self,
        attributes: &mut Changing<'k, '_>,
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
            let at = Value::from(time::format_us(occurred_us));
            attributes.set(name, Cow::Owned(at));
        }
        if let (Some(times), Some(data)) = (&marks.times_become, data) {
            mark_times(attributes, times, data, occurred_us);
        }
        if actor.is_empty() {
            return;
        }
        if let Some(name) = marks.actor_becomes.as_ref().filter(|name| !said(name)) {
            attributes.set(name, Cow::Owned(actor.into()));
        }
        if let Some(name) = &marks.actor_joins {
            match attributes.within(name) {
                Value::Array(actors) if actors.iter().any(|one| one == actor) => {}
                Value::Array(actors) => actors.push(actor.into()),
                other => *other = Value::from(vec![actor]),
            }
        }
    }
}

/// Keeps the event's time under every name that it, or else its entity, says.
fn mark_times<'k>(
    attributes: &mut Changing<'k, '_>,
    times: &'k Times,
    data: &Value,
    occurred_us: i64,
) {
    let said = data.as_object();
    let names = times.names.iter().find_map(|path| {
        let mut names = said.map_or_else(Vec::new, |data| path.values(data));
        if names.is_empty() {
            names = path.values(attributes.attributes);
        }
        let names: Vec<String> = names.into_iter().map(Cow::into_owned).collect();
        Some(names).filter(|names| !names.is_empty())
    });
    let at = time::format_us(occurred_us);
    let kept = attributes.within(&times.field);
    if kept.is_null() {
        *kept = Value::Object(Map::new());
    }
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

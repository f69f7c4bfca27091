//! What of an event is not drawn: the statuses before and after, what the subject is made of, and when it happens.

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::below;
use super::draw::Manner;
use crate::identity::Identity;
use crate::kind::{EventDef, Kind, Shape};
use crate::rule::Entity;
use crate::time;

/// How far the times of the example are moved: so that one of them is now.
pub(super) fn shift(
    random: &mut ChaCha8Rng,
    event: &EventDef,
    manner: Manner,
    at_us: i64,
) -> Option<i64> {
    let times: Vec<i64> = event
        .members
        .fields
        .iter()
        .filter(|field| matches!(field.shape, Shape::Timestamp))
        .filter_map(|field| time::parse_rfc3339_us(field.example.as_str()?))
        .collect();
    if manner == Manner::Blind || times.is_empty() || below(random, 8) == 0 {
        return None;
    }
    let which = below(random, times.len());
    times.get(which).map(|anchor| at_us.saturating_sub(*anchor))
}

/// The statuses that an event can lead to from here: over the edges where they are judged. An event that names
/// no status leads to the one that the entity is in. Those that are `few` do not end.
pub(super) fn targets(
    kind: &Kind,
    event: &EventDef,
    status: Option<&str>,
    few: bool,
) -> Vec<String> {
    let Some(lifecycle) = &kind.lifecycle else {
        return Vec::new();
    };
    let named: Vec<String> = match (&event.to_field, &event.to) {
        (Some(_), _) => lifecycle
            .states
            .iter()
            .map(|state| state.name.clone())
            .collect(),
        (None, Some(to)) => vec![to.clone()],
        (None, None) => {
            let over = status.is_some_and(|status| lifecycle.is_terminal(status));
            return status
                .filter(|_| !over)
                .map(str::to_owned)
                .into_iter()
                .collect();
        }
    };
    let edge = |from: &str, to: &str| {
        let mut edges = lifecycle.edges.iter();
        edges.any(|edge| edge.from == from && edge.to == to)
    };
    let fits = |to: &String| match status {
        _ if few && lifecycle.is_terminal(to) => false,
        None => lifecycle.start.contains(to),
        Some(from) if lifecycle.judged => edge(from, to),
        Some(from) => !lifecycle.is_terminal(from),
    };
    named.into_iter().filter(fits).collect()
}

/// The members that are not drawn: the statuses before and after, and what the subject is made of.
pub(super) fn fixed(
    kind: &Kind,
    event: &EventDef,
    entity: Option<&Entity>,
    to: Option<&str>,
) -> Map<String, Value> {
    let mut fixed = Map::new();
    let has = |name: &str| event.members.find(name).is_some();
    let status_value = |field: &str, status: &str| match event.members.find(field) {
        Some((_, field)) if matches!(field.shape, Shape::Boolean) => Value::from(status == "true"),
        _ => Value::from(status),
    };
    if let Some(entity) = entity {
        for name in kind.identity.iter().flat_map(Identity::fields) {
            if let Some(value) = entity.state.attributes.get(name).filter(|_| has(name)) {
                fixed.insert(name.to_owned(), value.clone());
            }
        }
    }
    if let (Some(field), Some(to)) = (&event.to_field, to) {
        fixed.insert(field.clone(), status_value(field, to));
    }
    let status = entity.and_then(|one| one.status());
    if let (Some(field), Some(from)) = (&event.from_field, status) {
        fixed.insert(field.clone(), status_value(field, from));
    }
    fixed
}

pub(super) fn identifies(kind: &Kind, field: &str) -> bool {
    let mut fields = kind.identity.iter().flat_map(Identity::fields);
    fields.any(|name| name == field)
}

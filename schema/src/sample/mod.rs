//! Believable events from the kinds of a catalog: for load, for trying a catalog out, for tests.
//!
//! Entities are created, go over the edges of their lifecycles, change, and name others that exist. Every event
//! passes its kind's check. Pure: a seed and the times that the caller gives decide everything.

mod values;

use std::collections::{BTreeSet, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::identity::Identity;
use crate::kind::{EventDef, Kind, Shape};
use crate::name::Name;
use crate::package::LEDGER;

/// How many entities of a kind are remembered. Older ones are left as they are.
const REMEMBERED: usize = 512;
/// How often a draw is tried again before the plain example is taken.
const TRIES: usize = 8;

/// An event that could have happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// An identifier for the event: a `UUIDv7` (RFC 9562, section 5.7) of its claimed time.
    pub id: String,
    /// `<package>.<entity>.<verb>`.
    pub event_type: String,
    /// The entity's identifier.
    pub subject: String,
    /// What its kind accepts.
    pub data: Value,
}

/// An endless, repeatable run of events.
#[derive(Debug)]
pub struct Sampler<'a> {
    kinds: Vec<Population<'a>>,
    random: ChaCha8Rng,
}

/// The entities of one kind.
#[derive(Debug)]
struct Population<'a> {
    kind: &'a Kind,
    made: u64,
    subjects: BTreeSet<String>,
    entities: VecDeque<Member>,
}

#[derive(Debug, Clone)]
struct Member {
    subject: String,
    status: Option<String>,
    /// The fields that the subject is made of: they never change.
    identity: Map<String, Value>,
}

impl<'a> Sampler<'a> {
    /// Begins a run. `only` names the packages to draw from; none means all but the ledger's own. `None` where
    /// the catalog has no kind of them.
    pub fn new(catalog: &'a Catalog, only: &[Name], seed: u64) -> Option<Self> {
        let wanted = |kind: &&Kind| {
            let package = &kind.name.package;
            package.as_str() != LEDGER && (only.is_empty() || only.contains(package))
        };
        let kinds: Vec<Population<'a>> = catalog
            .kinds()
            .filter(wanted)
            .map(|kind| Population {
                kind,
                made: 0,
                subjects: BTreeSet::new(),
                entities: VecDeque::new(),
            })
            .collect();
        let random = ChaCha8Rng::seed_from_u64(seed);
        (!kinds.is_empty()).then_some(Self { kinds, random })
    }

    /// The next event, claimed to have happened at `at_us` (µs since the Unix epoch).
    pub fn next(&mut self, at_us: i64) -> Sample {
        loop {
            let place = below(&mut self.random, self.kinds.len());
            if let Some(sample) = self.of(place, at_us) {
                return sample;
            }
        }
    }

    fn of(&mut self, place: usize, at_us: i64) -> Option<Sample> {
        let population = self.kinds.get(place)?;
        let few = population.entities.len() < 3;
        let member = if few || below(&mut self.random, 10) < 3 {
            None
        } else {
            let which = below(&mut self.random, population.entities.len());
            population.entities.get(which).cloned()
        };
        let event = self.event(place, member.as_ref())?;
        let data = self.data(place, event, member.as_ref(), at_us);
        let population = self.kinds.get_mut(place)?;
        let kind = population.kind;
        let subject = match &member {
            Some(member) => member.subject.clone(),
            None => population.begin(&data)?,
        };
        let step = kind.step(
            member.as_ref().and_then(|m| m.status.as_deref()),
            &event.verb,
            &data,
        );
        population.keep(&subject, step.to, &data);
        Some(Sample {
            id: values::uuid_of_time(&mut self.random, at_us),
            event_type: format!("{}.{}", kind.name, event.verb),
            subject,
            data,
        })
    }

    /// An event that the lifecycle has for this entity, or one that creates.
    fn event(&mut self, place: usize, member: Option<&Member>) -> Option<&'a EventDef> {
        let kind = self.kinds.get(place)?.kind;
        let status = member.and_then(|member| member.status.as_deref());
        let possible: Vec<&EventDef> = kind
            .events
            .iter()
            .filter(|event| match member {
                None => event.creates || !kind.events.iter().any(|event| event.creates),
                Some(_) => kind.lifecycle.is_none() || !targets(kind, event, status).is_empty(),
            })
            .collect();
        let which = below(&mut self.random, possible.len().max(1));
        possible.get(which).copied()
    }

    fn data(
        &mut self,
        place: usize,
        event: &EventDef,
        member: Option<&Member>,
        at_us: i64,
    ) -> Value {
        let Some(kind) = self.kinds.get(place).map(|population| population.kind) else {
            return Value::Null;
        };
        let status = member.and_then(|member| member.status.as_deref());
        let targets = targets(kind, event, status);
        let which = below(&mut self.random, targets.len().max(1));
        let fixed = fixed(
            event,
            status,
            targets.get(which).map(String::as_str),
            member,
        );
        for _ in 0..TRIES {
            let mut data = self.draw(kind, event, at_us);
            data.extend(fixed.clone());
            let data = Value::Object(data);
            if event.check(data.to_string().as_bytes()).is_ok() {
                return data;
            }
        }
        let Value::Object(mut data) = event.example() else {
            return Value::Null;
        };
        data.extend(fixed);
        Value::Object(data)
    }

    /// A value for every field: of what names an entity, one that exists.
    fn draw(&mut self, kind: &Kind, event: &EventDef, at_us: i64) -> Map<String, Value> {
        let mut data = Map::new();
        let length = i64::try_from(event.members.fields.len()).unwrap_or_default();
        for (place, field) in (0_i64..).zip(&event.members.fields) {
            let whole = field
                .reference
                .as_ref()
                .filter(|_| field.reference_id.is_none());
            let known = whole.and_then(|name| {
                let of = self.kinds.iter().find(|one| one.kind.name == *name)?;
                let which = below(&mut self.random, of.entities.len().max(1));
                let named = Value::from(of.entities.get(which)?.subject.as_str());
                Some(match field.shape {
                    Shape::Array { .. } => Value::from(vec![named]),
                    _ => named,
                })
            });
            // What a file names first happened first.
            let then_us = at_us.saturating_sub((length - place).saturating_mul(60_000_000));
            let draw = if identifies(kind, &field.name) {
                values::unlike
            } else {
                values::like
            };
            let value = known
                .unwrap_or_else(|| draw(&mut self.random, &field.shape, &field.example, then_us));
            data.insert(field.name.clone(), value);
        }
        values::echo(kind, &event.members, &mut data);
        event.align(&mut data);
        data
    }
}

impl Population<'_> {
    /// A new entity's identifier; `None` where that one is taken.
    fn begin(&mut self, data: &Value) -> Option<String> {
        let fields = data.as_object()?;
        let subject = match &self.kind.identity {
            Some(identity) => identity.of(fields)?,
            None => format!("{}-{}", self.kind.name.entity, self.made + 1),
        };
        if !self.subjects.insert(subject.clone()) {
            return None;
        }
        self.made += 1;
        Some(subject)
    }

    fn keep(&mut self, subject: &str, to: Option<String>, data: &Value) {
        let ended = |status: &Option<String>| {
            let lifecycle = self.kind.lifecycle.as_ref();
            let (Some(lifecycle), Some(status)) = (lifecycle, status) else {
                return false;
            };
            lifecycle.is_terminal(status)
        };
        if let Some(place) = self.entities.iter().position(|one| one.subject == subject) {
            let over = self.entities.get_mut(place).is_some_and(|member| {
                member.status = to.or_else(|| member.status.take());
                ended(&member.status)
            });
            if over {
                self.entities.remove(place);
            }
            return;
        }
        if self.kind.stateless || ended(&to) {
            return;
        }
        let identity = self.kind.identity.iter().flat_map(Identity::fields);
        let identity = identity
            .filter_map(|name| Some((name.to_owned(), data.get(name)?.clone())))
            .collect();
        if self.entities.len() == REMEMBERED {
            self.entities.pop_front();
        }
        self.entities.push_back(Member {
            subject: subject.to_owned(),
            status: to,
            identity,
        });
    }
}

/// The statuses that an event can lead to from here: over the edges where they are judged. An event that names
/// no status leads to the one that the entity is in.
fn targets(kind: &Kind, event: &EventDef, status: Option<&str>) -> Vec<String> {
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
        None => lifecycle.start.contains(to),
        Some(from) if lifecycle.judged => edge(from, to),
        Some(from) => !lifecycle.is_terminal(from),
    };
    named.into_iter().filter(fits).collect()
}

/// The members that are not drawn: the statuses before and after, and what the subject is made of.
fn fixed(
    event: &EventDef,
    status: Option<&str>,
    to: Option<&str>,
    member: Option<&Member>,
) -> Map<String, Value> {
    let mut fixed = Map::new();
    let has = |name: &str| event.members.find(name).is_some();
    let status_value = |field: &str, status: &str| match event.members.find(field) {
        Some((_, field)) if matches!(field.shape, Shape::Boolean) => Value::from(status == "true"),
        _ => Value::from(status),
    };
    for (name, value) in member.into_iter().flat_map(|member| &member.identity) {
        if has(name) {
            fixed.insert(name.clone(), value.clone());
        }
    }
    if let (Some(field), Some(to)) = (&event.to_field, to) {
        fixed.insert(field.clone(), status_value(field, to));
    }
    if let (Some(field), Some(from)) = (&event.from_field, status) {
        fixed.insert(field.clone(), status_value(field, from));
    }
    fixed
}

fn identifies(kind: &Kind, field: &str) -> bool {
    let mut fields = kind.identity.iter().flat_map(Identity::fields);
    fields.any(|name| name == field)
}

/// A number below `end`; 0 where there is none.
fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
    usize::try_from(random.next_u64() % end).unwrap_or_default()
}

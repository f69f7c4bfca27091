//! The data of an event: what its fields say, so that it fits its entity, and others that exist.

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::guide::Guide;
use super::state::State;
use super::values::{self, Echo, Ink};
use super::{Plan, Sampler, below, put};
use crate::identity::Identity;
use crate::kind::{EventDef, Field, Kind, Shape};
use crate::rule::Entity;
use crate::rule::hints::{Join, Place};
use crate::time;

/// How often data that the kind does not accept is drawn again before the plain example is taken.
const CHECKS: usize = 8;
/// How many entities are looked at for one that fits.
const LOOKS: usize = 4;

/// How free the values of an event are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Most values are drawn; what changes nothing is often left out.
    Free,
    /// A few values are drawn, others are the entity's, or the example's.
    Near,
    /// Everything is said as the entity has it, else as the example.
    Kept,
    /// Everything is as in the example, the times moved to now.
    Plain,
    /// Without a look at rules.
    Blind,
}

impl Manner {
    /// Those that look at rules.
    pub(super) const ALL: [Self; 4] = [Self::Free, Self::Near, Self::Kept, Self::Plain];

    pub(super) fn number(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or(0)
    }

    /// Of eight values, how many are drawn, and how many are left out.
    fn drawn(self) -> (usize, usize) {
        match self {
            Self::Free => (6, 2),
            Self::Near => (2, 1),
            Self::Kept | Self::Plain => (0, 0),
            Self::Blind => (8, 0),
        }
    }
}

/// What draws the data of one event.
struct Pen<'s, 'a> {
    random: &'s mut ChaCha8Rng,
    state: &'s State<'a>,
    guide: &'s Guide,
    kind: &'a Kind,
    event: &'a EventDef,
    entity: Option<&'s Entity>,
    echoes: &'s [Echo],
    manner: Manner,
    ink: Ink<'s>,
}

impl<'a> Sampler<'a> {
    /// The data of an event that its kind accepts.
    pub(super) fn data(
        &mut self,
        plan: &Plan<'a>,
        manner: Manner,
        actor: &str,
        at_us: i64,
    ) -> Option<Value> {
        let (kind, event) = (self.kinds.get(plan.place)?.kind, plan.event);
        let member = plan.member.as_deref();
        let entity = member.and_then(|id| self.state.get(&kind.name, id));
        let status = entity.and_then(|one| one.status.as_deref());
        let targets = targets(kind, event, status);
        let which = below(&mut self.random, targets.len());
        let to = targets.get(which).map(String::as_str);
        let mut fixed = fixed(kind, event, entity, to);
        for (name, value) in &plan.fixed {
            fixed.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let ink = Ink {
            at_us,
            shift_us: shift(&mut self.random, event, manner, at_us),
            free: true,
            actor,
        };
        let verb = self.kinds.get(plan.place)?.verbs.get(plan.number);
        let mut pen = Pen {
            random: &mut self.random,
            state: &self.state,
            guide: &self.guide,
            kind,
            event,
            entity,
            echoes: verb.map_or(&[], |verb| verb.echoes.as_slice()),
            manner,
            ink,
        };
        let fits = |data: &Map<String, Value>| {
            let made = kind.identity.as_ref().and_then(|one| one.of(data));
            member.is_none() || made.is_none() || made.as_deref() == member
        };
        for _ in 0..CHECKS {
            let data = pen.draw(&fixed);
            if !fits(&data) {
                continue;
            }
            let data = Value::Object(data);
            if event.check(data.to_string().as_bytes()).is_ok() {
                return Some(data);
            }
        }
        let Value::Object(mut data) = event.example() else {
            return None;
        };
        data.extend(fixed);
        event.align(&mut data);
        fits(&data).then_some(Value::Object(data))
    }
}

impl Pen<'_, '_> {
    fn draw(&mut self, fixed: &Map<String, Value>) -> Map<String, Value> {
        let event = self.event;
        let mut data = Map::new();
        let length = i64::try_from(event.members.fields.len()).unwrap_or_default();
        for (place, field) in event.members.fields.iter().enumerate() {
            let required = event.members.requires(place) || identifies(self.kind, &field.name);
            let number = i64::try_from(place).unwrap_or_default();
            // What a file names first happened first.
            let earlier = (length - number).saturating_mul(60_000_000);
            if let Some(value) = self.field(field, required, earlier) {
                data.insert(field.name.clone(), value);
            }
        }
        values::echo(self.echoes, &mut data);
        if self.manner != Manner::Blind {
            self.same(&mut data);
            self.join(&mut data, fixed);
        }
        for (path, value) in fixed {
            put(&mut data, path, value.clone());
        }
        event.align(&mut data);
        data
    }

    /// A value for a field: of what names an entity, one that exists. `None` leaves it out.
    fn field(&mut self, field: &Field, required: bool, earlier_us: i64) -> Option<Value> {
        let (drawn, omitted) = self.manner.drawn();
        let free = below(self.random, 8) < drawn;
        if !required && below(self.random, 8) < omitted {
            return None;
        }
        if let Some(named) = self.named(field) {
            return Some(named);
        }
        let identifies = identifies(self.kind, &field.name);
        if self.manner != Manner::Blind && (free || identifies) {
            let words = self.guide.words(&self.kind.name, &field.name);
            if !words.is_empty() && below(self.random, 4) > 0 {
                let which = below(self.random, words.len());
                return words.get(which).cloned();
            }
        }
        let known = self.entity.and_then(|one| one.attributes.get(&field.name));
        let keeps = match self.manner {
            Manner::Kept => true,
            Manner::Free | Manner::Near => !free,
            Manner::Plain | Manner::Blind => false,
        };
        if let Some(known) = known.filter(|_| keeps) {
            return Some(known.clone());
        }
        let ink = Ink {
            at_us: if self.ink.shift_us.is_some() {
                self.ink.at_us
            } else {
                self.ink.at_us.saturating_sub(earlier_us)
            },
            free,
            ..self.ink
        };
        let draw = if identifies {
            values::unlike
        } else {
            values::like
        };
        Some(draw(self.random, &field.shape, &field.example, &ink))
    }

    /// What a field names: an entity that exists.
    fn named(&mut self, field: &Field) -> Option<Value> {
        let kind = field.reference.as_ref()?;
        if field.reference_id.is_some() {
            return None;
        }
        let which = below(self.random, self.state.len(kind));
        let named = Value::from(self.state.nth(kind, which)?.id.as_str());
        Some(match field.shape {
            Shape::Array { .. } => Value::from(vec![named]),
            _ => named,
        })
    }

    /// Fields that repeat what the entity said do so.
    fn same(&mut self, data: &mut Map<String, Value>) {
        let Some(entity) = self.entity else { return };
        for (name, place) in self.guide.same(&self.kind.name) {
            let value = said(entity, place);
            let has = self.event.members.find(name).is_some();
            if let Some(value) = value.filter(|_| has && below(self.random, 8) > 0) {
                data.insert(name.clone(), value);
            }
        }
    }

    /// Some of what rules look at together with this kind is said as another entity has it.
    fn join(&mut self, data: &mut Map<String, Value>, fixed: &Map<String, Value>) {
        let guide = self.guide;
        let joins: Vec<(&Join, bool)> = guide.joins(&self.kind.name).collect();
        let mut bound = fixed.clone();
        for _ in 0..joins.len().min(3) {
            let which = below(self.random, joins.len());
            if let Some((join, one)) = joins.get(which) {
                self.follow(join, *one, data, &mut bound);
            }
        }
        for field in &self.event.members.fields {
            self.parts(field, data, &mut bound);
        }
    }

    fn follow(
        &mut self,
        join: &Join,
        one: bool,
        data: &mut Map<String, Value>,
        bound: &mut Map<String, Value>,
    ) {
        let (other, says, they_say) = if one {
            (&join.other, &join.one_says, &join.other_says)
        } else {
            (&join.one, &join.other_says, &join.one_says)
        };
        let known = self.state.len(other);
        for _ in 0..LOOKS {
            let which = below(self.random, known);
            let Some(entity) = self.state.nth(other, which) else {
                return;
            };
            let says_so = |(path, text): &(String, String)| entity.values(path).contains(text);
            if !they_say.iter().all(says_so) {
                continue;
            }
            let Some(put_here) = self.together(join, one, entity, bound) else {
                continue;
            };
            for (path, value) in put_here {
                if put(data, &path, value.clone()) {
                    bound.insert(path, value);
                }
            }
            for (path, text) in says {
                if self.has(path) && !bound.contains_key(path) {
                    put(data, path, Value::from(text.as_str()));
                    bound.insert(path.clone(), Value::from(text.as_str()));
                }
            }
            return;
        }
    }

    /// What this event says where it goes together with that entity; `None` where it does not.
    fn together(
        &self,
        join: &Join,
        one: bool,
        entity: &Entity,
        bound: &Map<String, Value>,
    ) -> Option<Vec<(String, Value)>> {
        let mut found = Vec::new();
        for (first, second) in &join.pairs {
            let (mine, theirs) = if one {
                (first, second)
            } else {
                (second, first)
            };
            let value = said(entity, theirs)?;
            let path = match mine {
                Place::Field(path) => path.as_str(),
                Place::Id => match self.kind.identity.as_ref().and_then(Identity::whole) {
                    Some(name) if self.entity.is_none() => name,
                    _ => {
                        let same = self.entity.is_some_and(|mine| value == mine.id.as_str());
                        if same {
                            continue;
                        }
                        return None;
                    }
                },
            };
            if bound.get(path).is_some_and(|bound| *bound != value) {
                return None;
            }
            let kept = identifies(self.kind, path) && self.entity.is_some();
            if self.has(path) && !kept {
                found.push((path.to_owned(), value));
            } else if let Some(mine) = self.entity
                && said(mine, &Place::Field(path.to_owned())).is_some_and(|mine| mine != value)
            {
                return None;
            }
        }
        Some(found)
    }

    /// A field that names an entity together with others: all of them do.
    fn parts(
        &mut self,
        field: &Field,
        data: &mut Map<String, Value>,
        bound: &mut Map<String, Value>,
    ) {
        let (Some(kind), Some(made_of)) = (&field.reference, &field.reference_id) else {
            return;
        };
        for _ in 0..LOOKS {
            let which = below(self.random, self.state.len(kind));
            let Some(entity) = self.state.nth(kind, which) else {
                return;
            };
            let parts: Vec<&str> = entity.id.split('/').collect();
            let names: Vec<&str> = made_of.fields().collect();
            if parts.len() != names.len() {
                return;
            }
            let pairs = || names.iter().zip(&parts);
            let fits =
                |(name, part): (&&str, &&str)| bound.get(*name).is_none_or(|bound| bound == *part);
            if pairs().all(fits) {
                for (name, part) in pairs() {
                    data.insert((*name).to_owned(), Value::from(*part));
                    bound.insert((*name).to_owned(), Value::from(*part));
                }
                return;
            }
        }
    }

    fn has(&self, path: &str) -> bool {
        let head = path.split('.').next().unwrap_or(path);
        let head = head.trim_end_matches("[]");
        self.event.members.find(head).is_some()
    }
}

/// What an entity says at a place.
pub(super) fn said(entity: &Entity, place: &Place) -> Option<Value> {
    match place {
        Place::Id => Some(Value::from(entity.id.as_str())),
        Place::Field(path) => match entity.attributes.get(path) {
            Some(value) if !value.is_null() => Some(value.clone()),
            _ => entity.values(path).into_iter().next().map(Value::from),
        },
    }
}

/// How far the times of the example are moved: so that one of them is now.
fn shift(random: &mut ChaCha8Rng, event: &EventDef, manner: Manner, at_us: i64) -> Option<i64> {
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
/// no status leads to the one that the entity is in.
pub(super) fn targets(kind: &Kind, event: &EventDef, status: Option<&str>) -> Vec<String> {
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
            if let Some(value) = entity.attributes.get(name).filter(|_| has(name)) {
                fixed.insert(name.to_owned(), value.clone());
            }
        }
    }
    if let (Some(field), Some(to)) = (&event.to_field, to) {
        fixed.insert(field.clone(), status_value(field, to));
    }
    let status = entity.and_then(|one| one.status.as_deref());
    if let (Some(field), Some(from)) = (&event.from_field, status) {
        fixed.insert(field.clone(), status_value(field, from));
    }
    fixed
}

pub(super) fn identifies(kind: &Kind, field: &str) -> bool {
    let mut fields = kind.identity.iter().flat_map(Identity::fields);
    fields.any(|name| name == field)
}

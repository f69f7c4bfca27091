//! The data of an event: what its fields say, so that it fits its entity, and others that exist.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::guide::Guide;
use super::state::State;
use super::values::{self, Ink};
use super::{Plan, Sampler, Verb, below, pattern, put};
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

    /// Of eight values, how many are drawn; and of sixteen that may, how many are left out.
    fn drawn(self) -> (usize, usize) {
        match self {
            Self::Free => (6, 4),
            Self::Near => (2, 2),
            Self::Kept | Self::Plain => (0, 1),
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
    verb: &'s Verb,
    /// Texts of the example that stand for something else here, and the fields that were drawn so.
    renames: Vec<(String, String)>,
    own: BTreeSet<String>,
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
        let targets = targets(kind, event, status, self.are_few(kind));
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
        let verb = self.kinds.get(plan.place)?.verbs.get(plan.number)?;
        let mut pen = Pen {
            random: &mut self.random,
            state: &self.state,
            guide: &self.guide,
            kind,
            event,
            entity,
            verb,
            renames: Vec::new(),
            own: BTreeSet::new(),
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
            let fields = event.members.fields.iter();
            self.present = fields.map(|field| data.contains_key(&field.name)).collect();
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
        self.renames.clear();
        self.own.clear();
        let length = i64::try_from(event.members.fields.len()).unwrap_or_default();
        for (place, field) in event.members.fields.iter().enumerate() {
            let required = event.members.requires(place) || identifies(self.kind, &field.name);
            let number = i64::try_from(place).unwrap_or_default();
            // What a file names first happened first.
            let earlier = (length - number).saturating_mul(60_000_000);
            if !required && self.omits(place) {
                continue;
            }
            if let Some(value) = self.field(field, earlier) {
                data.insert(field.name.clone(), value);
            }
        }
        values::echo(&self.verb.echoes, &mut data);
        if self.manner != Manner::Blind {
            self.same(&mut data);
            self.join(&mut data, fixed);
        }
        for (path, value) in fixed {
            put(&mut data, path, value.clone());
            self.stands(path, value);
        }
        if self.manner != Manner::Blind {
            for (name, value) in &mut data {
                if !self.own.contains(name) {
                    for (from, to) in &self.renames {
                        values::rename(value, from, to);
                    }
                }
            }
        }
        event.align(&mut data);
        data
    }

    /// Whether a field that may be absent is left out: more often where that kept the rules before.
    fn omits(&mut self, place: usize) -> bool {
        let (_, omitted) = self.manner.drawn();
        let [with, without] = self.verb.fields.get(place).copied().unwrap_or_default();
        let with = with.share() * (16 - omitted);
        let without = without.share() * omitted;
        below(self.random, with + without) < without
    }

    /// The field is said as something has it: what the example says of it means that now.
    fn stands(&mut self, path: &str, value: &Value) {
        if self.manner == Manner::Blind || !self.own.insert(path.to_owned()) {
            return;
        }
        let example = self
            .event
            .members
            .find(path)
            .map(|(_, field)| &field.example);
        if let (Some(Value::String(from)), Value::String(to)) = (example, value)
            && from.len() >= 3
            && from != to
        {
            self.renames.push((from.clone(), to.clone()));
        }
    }

    /// A value for a field: of what names an entity, one that exists.
    fn field(&mut self, field: &Field, earlier_us: i64) -> Option<Value> {
        let (drawn, _) = self.manner.drawn();
        let free = below(self.random, 8) < drawn;
        let identifies = identifies(self.kind, &field.name);
        let known = self.entity.and_then(|one| one.attributes.get(&field.name));
        if self.manner == Manner::Kept
            && let Some(known) = known
        {
            self.stands(&field.name, known);
            return Some(known.clone());
        }
        if let Some(named) = self.named(field, identifies) {
            self.stands(&field.name, &named);
            return Some(named);
        }
        if self.manner != Manner::Blind && (free || identifies) {
            let words = self.guide.words(&self.kind.name, &field.name);
            if !words.is_empty() && below(self.random, 4) > 0 {
                let which = below(self.random, words.len());
                let word = words.get(which)?;
                self.stands(&field.name, word);
                return Some(word.clone());
            }
            let patterns = self.guide.patterns(&self.kind.name, &field.name);
            if !patterns.is_empty() && below(self.random, 4) > 0 {
                let which = below(self.random, patterns.len());
                let pattern = patterns.get(which)?;
                let text = Value::from(pattern::matching(self.random, pattern));
                self.stands(&field.name, &text);
                return Some(text);
            }
        }
        let keeps = matches!(self.manner, Manner::Free | Manner::Near) && !free;
        if let Some(known) = known.filter(|_| keeps) {
            self.stands(&field.name, known);
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
        let drawn = draw(self.random, &field.shape, &field.example, &ink);
        if identifies {
            self.stands(&field.name, &drawn);
        }
        Some(drawn)
    }

    /// What a field names: an entity that exists; where it identifies this one, one that has none of this kind yet.
    fn named(&mut self, field: &Field, identifies: bool) -> Option<Value> {
        let kind = field.reference.as_ref()?;
        if field.reference_id.is_some() {
            return None;
        }
        let known = self.state.len(kind);
        let mut one = || {
            let which = below(self.random, known);
            Some(self.state.nth(kind, which)?.id.as_str())
        };
        if !matches!(field.shape, Shape::Array { .. }) {
            let alone = identifies && self.kind.identity.as_ref()?.whole().is_some();
            let free = |id: &str| !alone || self.state.get(&self.kind.name, id).is_none();
            let found = (0..LOOKS).filter_map(|_| one()).find(|id| free(id));
            return found.map(Value::from);
        }
        let mut several = vec![one()?];
        if self.manner != Manner::Blind {
            for _ in 0..known.min(LOOKS).saturating_sub(1) {
                several.extend(one());
            }
            several.sort_unstable();
            several.dedup();
        }
        Some(Value::from(several))
    }

    /// Fields that repeat what the entity said do so.
    fn same(&mut self, data: &mut Map<String, Value>) {
        let Some(entity) = self.entity else { return };
        for (name, place) in self.guide.same(&self.kind.name) {
            let value = said(entity, place);
            let has = self.event.members.find(name).is_some();
            if let Some(value) = value.filter(|_| has && below(self.random, 8) > 0) {
                self.own.insert(name.clone());
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
                    self.own.remove(&path);
                    self.stands(&path, &value);
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
                    Some(name) if self.entity.is_none() => {
                        let known = value.as_str().map(|id| self.state.get(&self.kind.name, id));
                        if known.is_some_and(|known| known.is_some()) {
                            return None;
                        }
                        name
                    }
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
                    self.own.remove(*name);
                    self.stands(name, &Value::from(*part));
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

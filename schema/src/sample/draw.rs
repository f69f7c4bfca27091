//! The data of an event: what its fields say, so that it fits its entity, and others that exist.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

use super::fixed::{fixed, identifies, shift, targets};
use super::guide::Guide;
use super::joins::said;
use super::learned::Verb;
use super::plan::Plan;
use super::state::State;
use super::values::{self, Ink};
use super::{Sampler, below, pattern, put};
use crate::kind::{EventDef, Field, Kind, Shape};
use crate::rule::Entity;

/// How often data that the kind does not accept is drawn again before the plain example is taken.
const CHECKS: usize = 8;
/// How many entities are looked at for one that fits.
pub(super) const LOOKS: usize = 4;

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
pub(super) struct Pen<'s, 'a> {
    pub(super) random: &'s mut ChaCha8Rng,
    pub(super) state: &'s State<'a>,
    pub(super) guide: &'s Guide,
    pub(super) kind: &'a Kind,
    pub(super) event: &'a EventDef,
    pub(super) entity: Option<&'s Entity>,
    pub(super) verb: &'s Verb,
    /// Texts of the example that stand for something else here, and the fields that were drawn so.
    renames: Vec<(String, String)>,
    pub(super) own: BTreeSet<String>,
    /// By number: whether what rules look at together with the kind was said as another entity has it.
    pub(super) followed: Vec<bool>,
    /// What is said of the fields that others depend on.
    pub(super) case: String,
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
        let status = entity.and_then(|one| one.status());
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
            followed: Vec::new(),
            case: String::new(),
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
            self.had.fields = fields.map(|field| data.contains_key(&field.name)).collect();
            self.had.joins = std::mem::take(&mut pen.followed);
            self.had.case = std::mem::take(&mut pen.case);
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
        let fields = || event.members.fields.iter().enumerate();
        let decides =
            |(_, field): &(usize, &Field)| self.guide.decides(&self.kind.name, &field.name);
        // What others depend on is known first.
        let (first, then) = (
            fields().filter(decides),
            fields().filter(|one| !decides(one)),
        );
        let deciding = first.clone().count();
        for (number, (place, field)) in first
            .chain(then)
            .collect::<Vec<_>>()
            .into_iter()
            .enumerate()
        {
            if number == deciding {
                self.case = self.case_of(&data, fixed);
            }
            let required = event.members.requires(place) || identifies(self.kind, &field.name);
            let number = i64::try_from(place).unwrap_or_default();
            // What a file names first happened first.
            let earlier = (length - number).saturating_mul(60_000_000);
            if !required && self.omits(place) {
                continue;
            }
            if let Some(value) = self.field(field, earlier, (&data, fixed)) {
                data.insert(field.name.clone(), value);
            }
        }
        values::echo(&self.verb.echoes, &mut data);
        if self.manner != Manner::Blind {
            let mut bound = fixed.clone();
            self.same(&mut data, &mut bound);
            self.join(&mut data, bound);
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

    /// What is said of the fields that others depend on.
    fn case_of(&self, data: &Map<String, Value>, fixed: &Map<String, Value>) -> String {
        let deciding = self.event.members.fields.iter().filter_map(|field| {
            let known = self
                .entity
                .and_then(|one| one.state.attributes.get(&field.name));
            let said = fixed.get(&field.name).or(data.get(&field.name)).or(known);
            let decides = self.guide.decides(&self.kind.name, &field.name);
            decides.then(|| said.and_then(Value::as_str).unwrap_or_default())
        });
        deciding.collect::<Vec<_>>().join(" ")
    }

    /// Whether a field that may be absent is left out: more often where that kept the rules before.
    fn omits(&mut self, place: usize) -> bool {
        let (_, omitted) = self.manner.drawn();
        let case = self.verb.cases.get(&self.case);
        let tried = case.and_then(|case| case.fields.get(place));
        let [with, without] = tried.copied().unwrap_or_default();
        let with = with.share() * (16 - omitted);
        let without = without.share() * omitted;
        below(self.random, with + without) < without
    }

    /// The field is said as something has it: what the example says of it means that now.
    pub(super) fn stands(&mut self, path: &str, value: &Value) {
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
    fn field(
        &mut self,
        field: &Field,
        earlier_us: i64,
        (data, fixed): (&Map<String, Value>, &Map<String, Value>),
    ) -> Option<Value> {
        let (drawn, _) = self.manner.drawn();
        // What is looked up by its value is not the same everywhere.
        let looked_up = self.state.looks_up(&self.kind.name, &field.name);
        let free = below(self.random, 8) < drawn || looked_up;
        let identifies = identifies(self.kind, &field.name);
        let known = self
            .entity
            .and_then(|one| one.state.attributes.get(&field.name));
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
            let known = self.entity.map(|one| &one.state.attributes);
            let said = |name: &str| {
                let of_entity = known.and_then(|known| known.get(name));
                fixed.get(name).or(data.get(name)).or(of_entity)
            };
            let patterns = self.guide.patterns(&self.kind.name, &field.name, said);
            if !patterns.is_empty() && (identifies || below(self.random, 4) > 0) {
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
        let last = || Some(self.state.nth(kind, known.checked_sub(1)?)?.id.as_str());
        if !matches!(field.shape, Shape::Array { .. }) {
            let alone = identifies && self.kind.identity.as_ref()?.whole().is_some();
            let free = |id: &str| !alone || self.state.get(&self.kind.name, id).is_none();
            // Where each has one of this kind, the last has none yet, if any.
            let found = (0..LOOKS).filter_map(|_| one()).find(|id| free(id));
            let found = found.or_else(|| last().filter(|id| free(id)));
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
    fn same(&mut self, data: &mut Map<String, Value>, bound: &mut Map<String, Value>) {
        let Some(entity) = self.entity else { return };
        for (name, place) in self.guide.same(&self.kind.name) {
            let value = said(entity, place);
            let has = self.event.members.find(name).is_some();
            if let Some(value) = value.filter(|_| has && below(self.random, 8) > 0) {
                self.own.insert(name.clone());
                bound.entry(name.clone()).or_insert_with(|| value.clone());
                data.insert(name.clone(), value);
            }
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        let head = path.split('.').next().unwrap_or(path);
        let head = head.trim_end_matches("[]");
        self.event.members.find(head).is_some()
    }
}

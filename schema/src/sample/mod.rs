//! Believable events from the kinds of a catalog: for load, for trying a catalog out, for tests.
//!
//! Entities are created, go over the edges of their lifecycles, change, and name others that exist. Every event
//! passes its kind's check, and keeps the rules but for a small share ([`Sampler::unruly`]): an event is judged on trial,
//! and drawn again where it breaks one. What a rule misses (an approval, another entity, its status) is drawn first.
//! Pure: a seed and the times that the caller gives decide everything.

mod draw;
mod fixed;
mod goals;
mod guide;
mod joins;
mod pattern;
mod state;
mod stock;
mod values;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value};

use self::draw::Manner;
use self::fixed::targets;
use self::goals::Goal;
use self::guide::Guide;
use self::state::{State, Trial};
use self::values::Echo;
use crate::catalog::Catalog;
use crate::identity::Identity;
use crate::kind::{EventDef, Kind};
use crate::name::Name;
use crate::package::LEDGER;
use crate::rule::{Emitted, Finding};

/// How many kinds are tried for one event before anything is taken.
const MOST_PLANS: usize = 64;
/// How often an event of a kind is drawn again where it breaks a rule.
const TRIES: usize = 3;
/// Of a thousand events, how many are drawn without a look at the rules, unless somebody says otherwise.
const UNRULY: u32 = 20;
/// How many identifiers of a kind are remembered as taken, twice.
const TAKEN: usize = 1 << 16;
/// Who acts.
const PEOPLE: [&str; 12] = [
    "ada", "ben", "cleo", "dora", "emil", "fay", "gus", "hana", "ivo", "jun", "kim", "lena",
];

/// An event that could have happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// An identifier for the event: a `UUIDv7` (RFC 9562, section 5.7) of its claimed time.
    pub id: String,
    /// `<package>.<entity>.<verb>`.
    pub event_type: String,
    /// The entity's identifier.
    pub subject: String,
    /// Who acted, for `authid`.
    pub actor: String,
    /// What its kind accepts.
    pub data: Value,
}

/// An endless, repeatable run of events.
#[derive(Debug)]
pub struct Sampler<'a> {
    kinds: Vec<Drawn<'a>>,
    guide: Guide,
    state: State<'a>,
    goals: Vec<Goal>,
    /// Which fields the event has that was drawn last.
    present: Vec<bool>,
    random: ChaCha8Rng,
    seq: u64,
    unruly: u32,
}

/// What was drawn of a kind.
#[derive(Debug)]
struct Drawn<'a> {
    kind: &'a Kind,
    made: u64,
    /// How often one was tried.
    tried: u64,
    verbs: Vec<Verb>,
    /// Hashes of identifiers that are taken, the older ones apart.
    taken: [BTreeSet<u64>; 2],
}

/// What was drawn of an event: how many, and of each manner how often it was tried and kept the rules.
#[derive(Debug)]
struct Verb {
    /// How often it was planned.
    tried: u64,
    echoes: Vec<Echo>,
    /// How it went with each field, and without it.
    fields: Vec<[Tried; 2]>,
    manners: [Tried; Manner::ALL.len()],
}

/// How often something was tried, and kept the rules.
#[derive(Debug, Clone, Copy, Default)]
struct Tried {
    all: usize,
    kept: usize,
}

/// An event that is to be drawn.
#[derive(Debug)]
struct Plan<'a> {
    place: usize,
    member: Option<String>,
    number: usize,
    event: &'a EventDef,
    /// What it says at all events.
    fixed: Vec<(String, Value)>,
    /// What its identifier is, where it is a new one.
    subject: Option<String>,
}

impl<'a> Sampler<'a> {
    /// Begins a run. `only` names the packages to draw from; none means all but the ledger's own. `None` where
    /// the catalog has no kind of them.
    pub fn new(catalog: &'a Catalog, only: &[Name], seed: u64) -> Option<Self> {
        let wanted = |kind: &&Kind| {
            let package = &kind.name.package;
            package.as_str() != LEDGER && (only.is_empty() || only.contains(package))
        };
        let kinds: Vec<Drawn<'a>> = catalog
            .kinds()
            .filter(wanted)
            .map(|kind| Drawn {
                kind,
                made: 0,
                tried: 0,
                verbs: kind.events.iter().map(|one| Verb::of(kind, one)).collect(),
                taken: Default::default(),
            })
            .collect();
        (!kinds.is_empty()).then(|| Self {
            kinds,
            guide: Guide::of(catalog),
            state: State::new(catalog),
            goals: Vec::new(),
            present: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(seed),
            seq: 0,
            unruly: UNRULY,
        })
    }

    /// How many of a thousand events are drawn without a look at the rules: many of them break some. 20 unless this
    /// is said; with 1000 all are.
    #[must_use]
    pub fn unruly(mut self, per_mille: u32) -> Self {
        self.unruly = per_mille;
        self
    }

    /// The next event, claimed to have happened at `at_us` (µs since the Unix epoch), and recorded soon after.
    pub fn next(&mut self, at_us: i64) -> Sample {
        self.seq += 1;
        let (_, emitted) = self.state.pass(at_us, self.seq);
        for one in emitted {
            self.emitted(&one, at_us);
        }
        let unruly = usize::try_from(self.unruly).unwrap_or(usize::MAX);
        if below(&mut self.random, 1000) >= unruly {
            self.hurry(at_us);
            for _ in 0..MOST_PLANS {
                if let Some(sample) = self.lawful(at_us) {
                    return sample;
                }
            }
        }
        loop {
            let Some(plan) = self.seldom() else { continue };
            if let Ok(sample) = self.attempt(&plan, Manner::Blind, at_us) {
                return sample;
            }
        }
    }

    /// An event that keeps the rules, if one is found soon.
    fn lawful(&mut self, at_us: i64) -> Option<Sample> {
        let (plan, is_goal) = self.wanted()?;
        let mut broken = Vec::new();
        for _ in 0..TRIES {
            let manner = self.manner(&plan);
            let tried = self.attempt(&plan, manner, at_us);
            let verb = self.kinds.get_mut(plan.place)?.verbs.get_mut(plan.number)?;
            verb.learn(manner, &self.present, tried.is_ok());
            match tried {
                Ok(sample) => {
                    if is_goal {
                        self.goals.pop();
                    }
                    return Some(sample);
                }
                Err(found) => broken = found,
            }
        }
        self.strive(&plan, &broken, is_goal);
        None
    }

    /// What is drawn next: what is missing, or anything.
    fn wanted(&mut self) -> Option<(Plan<'a>, bool)> {
        if below(&mut self.random, 4) > 0
            && let Some(plan) = self.goal()
        {
            return Some((plan, true));
        }
        let place = self.fewer(self.kinds.len(), |this, place| {
            this.kinds.get(place).map_or(0, |one| one.tried)
        });
        let drawn = self.kinds.get_mut(place)?;
        drawn.tried += 1;
        let kind = drawn.kind;
        let known = self.state.len(&kind.name);
        let new = known < 3
            || is_record(kind)
            || below(&mut self.random, 10) < 3 && !self.state.is_full(&kind.name);
        let member = if new { None } else { self.member(kind) };
        let plan = self.plan(place, member)?;
        Some((plan, false))
    }

    /// An event of a sort of which few were drawn so far.
    fn seldom(&mut self) -> Option<Plan<'a>> {
        let place = below(&mut self.random, self.kinds.len());
        let kind = self.kinds.get(place)?.kind;
        let new = self.state.len(&kind.name) < 3 || below(&mut self.random, 10) < 3;
        let member = if new { None } else { self.member(kind) };
        self.plan(place, member)
    }

    /// An entity that something may still happen to.
    fn member(&mut self, kind: &Kind) -> Option<String> {
        let known = self.state.len(&kind.name);
        (0..4).find_map(|_| {
            let which = below(&mut self.random, known);
            let entity = self.state.nth(&kind.name, which)?;
            let over = kind.lifecycle.as_ref().zip(entity.status.as_deref());
            let over = over.is_some_and(|(lifecycle, status)| lifecycle.is_terminal(status));
            (!over).then(|| entity.id.clone())
        })
    }

    /// An event that the lifecycle has for this entity, or one that creates.
    fn plan(&mut self, place: usize, member: Option<String>) -> Option<Plan<'a>> {
        let kind = self.kinds.get(place)?.kind;
        let entity = member
            .as_deref()
            .and_then(|id| self.state.get(&kind.name, id));
        let status = entity.and_then(|one| one.status.clone());
        let few = self.are_few(kind);
        let possible: Vec<usize> = (0..kind.events.len())
            .filter(|number| {
                kind.events.get(*number).is_some_and(|event| match entity {
                    None => event.creates || !kind.events.iter().any(|event| event.creates),
                    Some(_) => {
                        kind.lifecycle.is_none()
                            || !targets(kind, event, status.as_deref(), few).is_empty()
                    }
                })
            })
            .collect();
        let which = self.fewer(possible.len(), |this, which| {
            let drawn = this.kinds.get(place);
            let verb = possible
                .get(which)
                .and_then(|number| drawn?.verbs.get(*number));
            verb.map_or(0, |verb| verb.tried)
        });
        let number = *possible.get(which)?;
        if let Some(drawn) = self.kinds.get_mut(place)
            && let Some(verb) = drawn.verbs.get_mut(number)
        {
            verb.tried += 1;
        }
        Some(Plan {
            place,
            member,
            number,
            event: kind.events.get(number)?,
            fixed: Vec::new(),
            subject: None,
        })
    }

    /// Whether the rules know all names of a kind's entities: then none of them ends, since nothing could come after it.
    fn are_few(&self, kind: &Kind) -> bool {
        let name = kind.identity.as_ref().and_then(Identity::whole);
        let words = name.map(|name| self.guide.words(&kind.name, name));
        self.unruly < 1000 && words.is_some_and(|words| !words.is_empty())
    }

    /// Of two numbers below `end` the one of which fewer were drawn.
    fn fewer(&mut self, end: usize, drawn: impl Fn(&Self, usize) -> u64) -> usize {
        let one = below(&mut self.random, end);
        let other = below(&mut self.random, end);
        if drawn(self, one) <= drawn(self, other) {
            one
        } else {
            other
        }
    }

    /// Draws an event and judges it. Where it breaks rules, these.
    fn attempt(
        &mut self,
        plan: &Plan<'a>,
        manner: Manner,
        at_us: i64,
    ) -> Result<Sample, Vec<Finding>> {
        let who = PEOPLE.get(below(&mut self.random, PEOPLE.len()));
        let actor = format!("{}@example.org", who.unwrap_or(&"ada"));
        let unfit = Vec::new;
        let data = self.data(plan, manner, &actor, at_us).ok_or_else(unfit)?;
        let subject = match &plan.member {
            Some(member) => member.clone(),
            None => self.begin(plan, &data, manner).ok_or_else(unfit)?,
        };
        let Some(kind) = self.kinds.get(plan.place).map(|one| one.kind) else {
            return Err(unfit());
        };
        let trial = Trial {
            kind,
            verb: &plan.event.verb,
            subject: &subject,
            data: &data,
            actor: &actor,
            publisher: "sample",
            at_us,
            seq: self.seq,
        };
        let anyway = manner == Manner::Blind;
        let broken = self.state.take(trial, anyway, self.unruly < 1000);
        if !broken.is_empty() && !anyway {
            return Err(broken);
        }
        if let Some(drawn) = self.kinds.get_mut(plan.place) {
            drawn.count(plan, &subject);
        }
        Ok(Sample {
            id: values::uuid_of_time(&mut self.random, at_us),
            event_type: format!("{}.{}", kind.name, plan.event.verb),
            subject,
            actor,
            data,
        })
    }

    /// A new entity's identifier; `None` where that one is taken.
    fn begin(&self, plan: &Plan<'a>, data: &Value, manner: Manner) -> Option<String> {
        let drawn = self.kinds.get(plan.place)?;
        let subject = match (&drawn.kind.identity, &plan.subject) {
            (Some(identity), _) => identity.of(data.as_object()?)?,
            (None, Some(subject)) => subject.clone(),
            (None, None) => format!("{}-{}", drawn.kind.name.entity, drawn.made + 1),
        };
        let hash = hash(&subject);
        let taken = drawn.taken.iter().any(|all| all.contains(&hash));
        let known = self.state.get(&drawn.kind.name, &subject).is_some();
        // Of one that is known the rules say whether it may begin again.
        let begins = if known {
            manner != Manner::Blind
        } else {
            !taken
        };
        begins.then_some(subject)
    }

    /// What the ledger itself published, when a deadline passed.
    fn emitted(&mut self, one: &Emitted, at_us: i64) {
        let Some((kind, verb)) = one.event_type.rsplit_once('.') else {
            return;
        };
        let Some(kind) = self
            .kinds
            .iter()
            .map(|one| one.kind)
            .find(|of| of.name.to_string() == kind)
        else {
            return;
        };
        let Some(event) = kind.events.iter().find(|event| event.verb.as_str() == verb) else {
            return;
        };
        self.seq += 1;
        let trial = Trial {
            kind,
            verb: &event.verb,
            subject: &one.subject,
            data: &one.data,
            actor: "",
            publisher: LEDGER,
            at_us,
            seq: self.seq,
        };
        self.state.take(trial, true, true);
    }

    /// How an event is drawn: more often as it kept the rules before.
    fn manner(&mut self, plan: &Plan<'a>) -> Manner {
        let verb = self
            .kinds
            .get(plan.place)
            .and_then(|one| one.verbs.get(plan.number));
        let weights = Manner::ALL.map(|manner| {
            let tried = verb.and_then(|verb| verb.manners.get(manner.number()));
            tried.copied().unwrap_or_default().share()
        });
        let mut rest = below(&mut self.random, weights.iter().sum());
        for (manner, weight) in Manner::ALL.into_iter().zip(weights) {
            if rest < weight {
                return manner;
            }
            rest -= weight;
        }
        Manner::Near
    }
}

impl Verb {
    fn of(kind: &Kind, event: &EventDef) -> Self {
        Self {
            tried: 0,
            fields: vec![Default::default(); event.members.fields.len()],
            echoes: values::echoes(kind, &event.members),
            manners: Default::default(),
        }
    }

    fn learn(&mut self, manner: Manner, present: &[bool], kept: bool) {
        if let Some(tried) = self.manners.get_mut(manner.number()) {
            tried.count(kept);
        }
        for ([with, without], present) in self.fields.iter_mut().zip(present) {
            if *present { with } else { without }.count(kept);
        }
    }
}

impl Tried {
    fn count(&mut self, kept: bool) {
        self.all += 1;
        self.kept += usize::from(kept);
        if self.all > 200 {
            self.all /= 2;
            self.kept /= 2;
        }
    }

    /// Of a thousand times, how often it is expected to keep the rules.
    fn share(self) -> usize {
        1000 * (self.kept + 1) / (self.all + 2) + 10
    }
}

impl Drawn<'_> {
    fn count(&mut self, plan: &Plan<'_>, subject: &str) {
        if plan.member.is_none() {
            self.made += 1;
            let [now, before] = &mut self.taken;
            now.insert(hash(subject));
            if now.len() > TAKEN {
                *before = std::mem::take(now);
            }
        }
    }
}

/// Whether each event is about something new: it creates, and nothing in it says what it is about.
fn is_record(kind: &Kind) -> bool {
    kind.identity.is_none() && kind.lifecycle.is_none() && kind.events.len() == 1
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A number below `end`; 0 where there is none.
fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
    usize::try_from(random.next_u64() % end).unwrap_or_default()
}

/// Puts a value at a path: `name`, `name[]`, `name.member`, `name[].member`; of an array one item stays.
fn put(data: &mut Map<String, Value>, path: &str, value: Value) -> bool {
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let name = head.trim_end_matches("[]");
    if name != head {
        let Some(Value::Array(items)) = data.get_mut(name) else {
            return false;
        };
        items.truncate(1);
        match (rest, items.first_mut()) {
            (None, _) => *items = vec![value],
            (Some(rest), Some(Value::Object(item))) => return put(item, rest, value),
            (Some(_), _) => return false,
        }
        return true;
    }
    match rest {
        None => {
            data.insert(name.to_owned(), value);
            true
        }
        Some(rest) => match data.get_mut(name) {
            Some(Value::Object(inner)) => put(inner, rest, value),
            _ => false,
        },
    }
}

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
mod learned;
mod pattern;
mod plan;
mod state;
mod stock;
mod values;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::{Map, Value};

use self::draw::Manner;
use self::goals::Goal;
use self::guide::Guide;
use self::learned::{Drawn, Had};
use self::plan::Plan;
use self::state::{State, Trial};
use crate::catalog::Catalog;
use crate::kind::Kind;
use crate::name::Name;
use crate::package::LEDGER;
use crate::rule::{Emitted, Finding};

/// How many kinds are tried for one event before anything is taken.
const MOST_PLANS: usize = 64;
/// How often an event of a kind is drawn again where it breaks a rule.
const TRIES: usize = 3;
/// Of a thousand events, how many are drawn without a look at the rules, unless somebody says otherwise.
const UNRULY: u32 = 20;
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
    /// What the event has that was drawn last.
    had: Had,
    random: ChaCha8Rng,
    seq: u64,
    unruly: u32,
}

impl<'a> Sampler<'a> {
    /// Begins a run. `only` names the packages to draw from; none means all but the ledger's own. `None` where
    /// the catalog has no kind of them.
    pub fn new(catalog: &'a Catalog, only: &[Name], seed: u64) -> Option<Self> {
        let wanted = |kind: &&Kind| {
            let package = &kind.name.package;
            package.as_str() != LEDGER && (only.is_empty() || only.contains(package))
        };
        let kinds: Vec<Drawn<'a>> = catalog.kinds().filter(wanted).map(Drawn::of).collect();
        (!kinds.is_empty()).then(|| Self {
            kinds,
            guide: Guide::of(catalog),
            state: State::new(catalog),
            goals: Vec::new(),
            had: Had::default(),
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
            verb.learn(manner, &self.had, tried.is_ok());
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
        if self.unruly < 1000 && self.is_second(&kind.name, &subject, &data) {
            return Err(unfit());
        }
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
            drawn.note(plan, &subject);
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
        let known = self.state.get(&drawn.kind.name, &subject).is_some();
        // Of one that is known the rules say whether it may begin again.
        let begins = if known {
            manner != Manner::Blind
        } else {
            !drawn.is_taken(&subject)
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

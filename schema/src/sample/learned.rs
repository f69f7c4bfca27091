//! What was drawn of a kind so far, and what of it kept the rules: it decides how the next one is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::draw::Manner;
use super::plan::Plan;
use super::values::{self, Echo};
use super::{Sampler, below};
use crate::kind::{EventDef, Kind};

/// How many identifiers of a kind are remembered as taken, twice.
const TAKEN: usize = 1 << 16;

/// How many tries an event counts for, where kinds are weighed against each other.
const GIVEN: u64 = 4;

/// How many cases of an event are told apart.
const CASES: usize = 32;

/// What was drawn of a kind.
#[derive(Debug)]
pub(super) struct Drawn<'a> {
    pub(super) kind: &'a Kind,
    /// How many were drawn that were new.
    pub(super) made: u64,
    /// How often one was tried.
    pub(super) tried: u64,
    /// How many events came of it, or of another kind that needed one.
    pub(super) given: u64,
    pub(super) verbs: Vec<Verb>,
    /// Hashes of identifiers that are taken, the older ones apart.
    taken: [BTreeSet<u64>; 2],
}

/// What was drawn of an event: how many, and of each manner how often it was tried and kept the rules.
#[derive(Debug)]
pub(super) struct Verb {
    /// How often it was planned.
    pub(super) tried: u64,
    pub(super) echoes: Vec<Echo>,
    /// By what is said of the fields that others depend on.
    pub(super) cases: BTreeMap<String, Case>,
    manners: [Tried; Manner::ALL.len()],
}

/// How it went with each field and without it, and with what rules look at together with the kind, by its number.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) fields: Vec<[Tried; 2]>,
    pub(super) joins: Vec<[Tried; 2]>,
}

/// What an event has that was drawn: each of its fields, and what rules look at together with its kind.
#[derive(Debug, Default)]
pub(super) struct Had {
    pub(super) fields: Vec<bool>,
    /// What is said of the fields that others depend on.
    pub(super) case: String,
    pub(super) joins: Vec<bool>,
}

/// How often something was tried, and kept the rules.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    all: usize,
    kept: usize,
}

impl Sampler<'_> {
    /// How an event is drawn: more often as it kept the rules before.
    pub(super) fn manner(&mut self, plan: &Plan<'_>) -> Manner {
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
            cases: BTreeMap::new(),
            echoes: values::echoes(kind, &event.members),
            manners: Default::default(),
        }
    }

    pub(super) fn learn(&mut self, manner: Manner, had: &Had, kept: bool) {
        if let Some(tried) = self.manners.get_mut(manner.number()) {
            tried.count(kept);
        }
        if !self.cases.contains_key(&had.case) && self.cases.len() < CASES {
            let none = |all: &[bool]| vec![Default::default(); all.len()];
            let case = Case {
                fields: none(&had.fields),
                joins: Vec::new(),
            };
            self.cases.insert(had.case.clone(), case);
        }
        let Some(case) = self.cases.get_mut(&had.case) else {
            return;
        };
        if case.joins.len() < had.joins.len() {
            case.joins.resize(had.joins.len(), Default::default());
        }
        let fields = case.fields.iter_mut().zip(&had.fields);
        for ([with, without], has) in fields.chain(case.joins.iter_mut().zip(&had.joins)) {
            if *has { with } else { without }.count(kept);
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
    pub(super) fn share(self) -> usize {
        1000 * (self.kept + 1) / (self.all + 2) + 10
    }
}

impl<'a> Drawn<'a> {
    pub(super) fn of(kind: &'a Kind) -> Self {
        Self {
            kind,
            made: 0,
            tried: 0,
            given: 0,
            verbs: kind.events.iter().map(|one| Verb::of(kind, one)).collect(),
            taken: Default::default(),
        }
    }

    /// Whether an entity was drawn under this identifier.
    pub(super) fn is_taken(&self, subject: &str) -> bool {
        let hash = hash(subject);
        self.taken.iter().any(|all| all.contains(&hash))
    }

    /// How much of a kind there is: mostly what came of it, and a little how often it was tried, so that what hardly
    /// ever keeps the rules does not take all the time.
    pub(super) fn share(&self) -> u64 {
        self.tried + GIVEN * self.given
    }

    /// Notes what was drawn.
    pub(super) fn note(&mut self, plan: &Plan<'_>, subject: &str) {
        self.given += 1;
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

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

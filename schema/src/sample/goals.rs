//! What has to happen first: where an event breaks a rule that looks at other entities, one of those is created or goes
//! on, and then the event is tried again. So it is with deadlines that will pass soon.

use serde_json::Value;

use super::joins::said;
use super::plan::Plan;
use super::{Sampler, below};
use crate::name::KindName;
use crate::rule::hints::{Join, Place};
use crate::rule::{Entity, Finding, RuleKey};

/// How many goals wait at most; one on another.
const MOST: usize = 8;
/// How often a goal is tried.
const TRIES: u32 = 3;
/// How far it is thought ahead.
const DEEP: u32 = 4;

/// An event that is wanted.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    place: usize,
    /// The entity; a new one where there is none.
    member: Option<String>,
    /// Which event; any where nothing is said.
    number: Option<usize>,
    fixed: Vec<(String, Value)>,
    subject: Option<String>,
    tries: u32,
    /// How many goals it serves.
    depth: u32,
}

impl<'a> Sampler<'a> {
    /// The last goal, as an event to be drawn. One that was tried often is given up.
    pub(super) fn goal(&mut self) -> Option<Plan<'a>> {
        loop {
            let goal = self.goals.last_mut()?;
            if goal.tries == 0 {
                self.goals.pop();
                continue;
            }
            goal.tries -= 1;
            let goal = goal.clone();
            let planned = self.plan(goal.place, goal.member);
            let Some(mut plan) = planned else {
                self.goals.pop();
                continue;
            };
            if let Some(number) = goal.number
                && let Some(event) = self
                    .kinds
                    .get(goal.place)
                    .and_then(|one| one.kind.events.get(number))
            {
                (plan.number, plan.event) = (number, event);
            }
            (plan.fixed, plan.subject) = (goal.fixed, goal.subject);
            return Some(plan);
        }
    }

    /// After an event broke rules: what they miss becomes a goal, and the event itself the one after that.
    pub(super) fn strive(&mut self, plan: &Plan<'a>, broken: &[Finding], is_goal: bool) {
        let Some(finding) = broken.iter().find(|one| one.by.is_some()) else {
            return;
        };
        let Some(by) = &finding.by else { return };
        let goal = self.goals.last().filter(|_| is_goal);
        let (depth, again) = goal.map_or((0, true), |goal| (goal.depth + 1, goal.tries > 0));
        if self.goals.len() >= MOST || depth >= DEEP || !again {
            return;
        }
        let about = self.kinds.get(plan.place).map(|one| one.kind.name.clone());
        let same = about.is_some_and(|kind| kind.to_string() == finding.kind);
        let new = plan.member.is_none() && same;
        let found = if new {
            self.before_new(by, plan)
        } else {
            self.remedy(by, &finding.kind, &finding.id)
        };
        let Some(mut remedy) = found else { return };
        // What breaks a rule does not mend it by being said again.
        if remedy.place == plan.place && remedy.member.is_none() {
            return;
        }
        remedy.depth = depth + 1;
        if !is_goal {
            self.goals.push(Goal {
                place: plan.place,
                member: plan.member.clone(),
                number: Some(plan.number),
                fixed: plan.fixed.clone(),
                subject: plan.subject.clone(),
                tries: TRIES,
                depth,
            });
        }
        self.goals.push(remedy);
    }

    /// A new entity that a rule wants to be there before one of another kind with the same identifier.
    fn before_new(&self, by: &RuleKey, plan: &Plan<'a>) -> Option<Goal> {
        let name = &self.kinds.get(plan.place)?.kind.name;
        let mut joins = self.guide.of_rule(&by.owner, &by.id);
        let join =
            joins.find(|join| join.one == *name && join.pairs == [(Place::Id, Place::Id)])?;
        if !plan.fixed.is_empty() || self.state.is_full(&join.other) {
            return None;
        }
        let place = self
            .kinds
            .iter()
            .position(|one| one.kind.name == join.other)?;
        Some(Goal {
            place,
            member: None,
            number: None,
            fixed: Vec::new(),
            subject: None,
            tries: TRIES,
            depth: 0,
        })
    }

    /// An event by which a rule about an entity may come to hold.
    fn remedy(&mut self, by: &RuleKey, kind: &str, id: &str) -> Option<Goal> {
        let name: KindName = kind.parse().ok()?;
        let entity = self.state.get(&name, id)?;
        let joins: Vec<(&Join, bool)> = self
            .guide
            .of_rule(&by.owner, &by.id)
            .filter_map(|join| {
                let one = join.one == name;
                (one || join.other == name).then_some((join, one))
            })
            .collect();
        let which = below(&mut self.random, joins.len());
        let (join, one) = joins.get(which)?;
        let (other, says) = if *one {
            (&join.other, &join.other_says)
        } else {
            (&join.one, &join.one_says)
        };
        let mut wanted = Vec::new();
        for (first, second) in &join.pairs {
            let (mine, theirs) = if *one {
                (first, second)
            } else {
                (second, first)
            };
            wanted.push((theirs.clone(), said(entity, mine)?));
        }
        let place = self.kinds.iter().position(|one| one.kind.name == *other)?;
        let there = self.there(other, &wanted);
        let goes_on = there.filter(|_| below(&mut self.random, 3) > 0);
        let mut goal = Goal {
            place,
            member: goes_on,
            number: None,
            fixed: Vec::new(),
            subject: None,
            tries: TRIES,
            depth: 0,
        };
        if goal.member.is_some() {
            return Some(goal);
        }
        let of = self.kinds.get(place)?.kind;
        for (theirs, value) in wanted {
            match (theirs, &of.identity) {
                (Place::Field(path), _) => goal.fixed.push((path, value)),
                (Place::Id, None) => goal.subject = value.as_str().map(str::to_owned),
                (Place::Id, Some(identity)) => {
                    let names: Vec<&str> = identity.fields().collect();
                    let parts: Vec<&str> = match identity.whole() {
                        Some(_) => value.as_str().into_iter().collect(),
                        None => value.as_str()?.split('/').collect(),
                    };
                    if names.len() != parts.len() {
                        return None;
                    }
                    let pairs = names.iter().zip(parts);
                    goal.fixed
                        .extend(pairs.map(|(name, part)| ((*name).to_owned(), part.into())));
                }
            }
        }
        let says = says.iter().filter(|(path, _)| path != "status");
        goal.fixed
            .extend(says.map(|(path, text)| (path.clone(), Value::from(text.as_str()))));
        Some(goal)
    }

    /// An entity that says all this.
    fn there(&self, kind: &KindName, wanted: &[(Place, Value)]) -> Option<String> {
        let (place, value) = wanted.first()?;
        let text = value.as_str()?;
        let found: Vec<&Entity> = match place {
            Place::Id => self.state.get(kind, text).into_iter().collect(),
            Place::Field(path) => self.state.with(kind, path, text),
        };
        let says = |entity: &&Entity| {
            let mut all = wanted.iter();
            all.all(|(place, value)| said(entity, place).as_ref() == Some(value))
        };
        found.into_iter().find(says).map(|one| one.id.clone())
    }

    /// Whether this would be the second of its kind where a rule wants one: no event takes the second away again.
    pub(super) fn is_second(&self, kind: &KindName, subject: &str, data: &Value) -> bool {
        self.guide.alone(kind).iter().any(|path| {
            let value = data.get(path).and_then(Value::as_str);
            let there = value.map_or_else(Vec::new, |text| self.state.with(kind, path, text));
            there.iter().any(|other| other.id != subject)
        })
    }

    /// Where a deadline will pass soon, what keeps it becomes a goal.
    pub(super) fn hurry(&mut self, at_us: i64) {
        if self.goals.len() >= MOST {
            return;
        }
        let Some(of) = self.state.soon(at_us, self.seq) else {
            return;
        };
        if let Some(remedy) = self.remedy(&of.by, &of.kind, &of.id) {
            self.goals.push(remedy);
        }
        let Ok(kind) = of.kind.parse::<KindName>() else {
            return;
        };
        let place = self.kinds.iter().position(|one| one.kind.name == kind);
        if let Some(place) = place
            && self.state.get(&kind, &of.id).is_some()
        {
            self.goals.push(Goal {
                place,
                member: Some(of.id),
                number: None,
                fixed: Vec::new(),
                subject: None,
                tries: TRIES,
                depth: 0,
            });
        }
    }
}

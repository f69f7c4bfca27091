//! `acyclic`: references between entities of a kind lead nowhere in a circle.

use std::collections::{BTreeSet, HashMap};

use super::{Broke, Case};
use crate::cel::{Failure, View};
use crate::indexed::Path;
use crate::name::KindName;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::declare::Rule;
use crate::rule::inputs::{Known, Lookup, Need};

/// How many entities are gone through at most, on each side.
const MOST: usize = 2000;
/// To how many the way back goes before the way onward is tried at all: few lead to most.
const FEW: usize = 64;

#[derive(Debug, Clone)]
pub(crate) struct Acyclic {
    kind: KindName,
    field: Path,
    /// Whether the field is declared as a reference: then who names an entity was always written down.
    named: bool,
}

impl Acyclic {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        field: &str,
    ) -> Result<Self, Broken> {
        let kind = compiler.own(rule)?;
        compiler.path(kind, field, rule.line)?;
        if let Some(Some(other)) = kind.at_path(field)
            && *other != kind.name
        {
            let message = format!("`{field}` names a `{other}`, and that leads to no circle");
            let mend = format!("name a field whose `reference` is `{}`", kind.name);
            return Err(compiler.report(rule.line, message, mend));
        }
        let named = matches!(kind.at_path(field), Some(Some(_)));
        if named {
            compiler.indexed_path(kind, field, rule.line)?;
        }
        Ok(Self {
            kind: kind.name.clone(),
            field: compiler.parsed_path(field, rule.line)?,
            named,
        })
    }

    /// Goes from the entity along its references until it comes back or nothing is left, and at the same time back to
    /// whoever leads to the entity, now a step here and now a step there: as soon as one side comes to its end, nothing
    /// closes a circle. What is new is named by few, and the oldest lead to few, so that mostly one side is short
    /// however much there is. Whoever closes the circle is who breaks the rule.
    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        let Some(start) = case.base.entity.filter(|one| self.leads_on(one)) else {
            return Ok(Vec::new());
        };
        let mut back = Back::new(start.id);
        back.way.lost = !self.named;
        let mut onward = Onward::new(start);
        loop {
            let first = back.seen.len() <= onward.reached.len().max(FEW);
            if back.way.goes_on() && (first || !onward.way.goes_on()) {
                back.step(self, start.id, case.known);
            } else if onward.way.goes_on() {
                if let Some(judged_from) = onward.step(self, start.id, case.known) {
                    case.needs.append(&mut onward.way.lacks);
                    return Ok(vec![Broke {
                        judged_from,
                        ..case.broke()
                    }]);
                }
            } else {
                break;
            }
            if back.way.is_over() || onward.way.is_over() {
                return Ok(Vec::new());
            }
        }
        case.needs.append(&mut onward.way.lacks);
        case.needs.append(&mut back.way.lacks);
        if case.needs.is_empty() {
            return Err(Failure::TooMany);
        }
        Ok(Vec::new())
    }

    fn leads_on(&self, entity: &View<'_>) -> bool {
        !self.field.values(entity.attributes()).is_empty()
    }
}

/// A way, on either side.
struct Way<N> {
    /// From where it goes on.
    next: Vec<N>,
    /// What is not known.
    lacks: BTreeSet<Need>,
    /// Whether it will not tell: it is longer than anybody goes, or against the references it came back.
    lost: bool,
}

impl<N> Way<N> {
    fn from(start: N) -> Self {
        Self {
            next: vec![start],
            lacks: BTreeSet::new(),
            lost: false,
        }
    }

    fn goes_on(&self) -> bool {
        !self.lost && !self.next.is_empty()
    }

    /// Whether it came to its end, and the start was not on it.
    fn is_over(&self) -> bool {
        !self.lost && self.next.is_empty() && self.lacks.is_empty()
    }
}

/// Along the references.
struct Onward<'k> {
    /// What was reached, its position, and from where.
    reached: HashMap<&'k str, (u64, &'k str)>,
    way: Way<View<'k>>,
}

impl<'k> Onward<'k> {
    fn new(start: View<'k>) -> Self {
        Self {
            reached: HashMap::new(),
            way: Way::from(start),
        }
    }

    /// Goes to what one entity names; gives the positions on the way where that is the start.
    fn step(&mut self, rule: &Acyclic, start: &str, known: &'k dyn Known) -> Option<Vec<u64>> {
        let view = self.way.next.pop()?;
        for id in rule.field.values(view.attributes()) {
            if id == start {
                return Some(way(&self.reached, view.id));
            }
            if self.reached.contains_key(&*id) {
                continue;
            }
            if self.reached.len() >= MOST {
                self.way.lost = true;
                return None;
            }
            match known.entity(&rule.kind, &id) {
                None => {
                    let id = id.into_owned();
                    self.way.lacks.insert(Need::Entity(rule.kind.clone(), id));
                }
                Some(Some(one)) => {
                    self.reached.insert(one.id, (one.seq(), view.id));
                    self.way.next.push(one);
                }
                // Nothing leads on from what is not there.
                Some(None) => {}
            }
        }
        None
    }
}

/// Against them.
struct Back {
    /// Who leads to the start.
    seen: BTreeSet<String>,
    way: Way<String>,
}

impl Back {
    fn new(start: &str) -> Self {
        Self {
            seen: BTreeSet::new(),
            way: Way::from(start.to_owned()),
        }
    }

    /// Goes to those who name one entity.
    fn step(&mut self, rule: &Acyclic, start: &str, known: &dyn Known) {
        let Some(id) = self.way.next.pop() else {
            return;
        };
        let mut naming = Lookup {
            kind: rule.kind.clone(),
            fields: vec![(rule.field.text().clone(), id)],
            most: 0,
        };
        let Some(count) = known.count(&naming) else {
            self.way.lacks.insert(Need::Count(naming));
            return;
        };
        if count == 0 {
            return;
        }
        // Whom very many name is not looked at from there.
        naming.most = u32::try_from(count).unwrap_or(u32::MAX);
        let all = usize::try_from(count).unwrap_or(usize::MAX);
        if all > MOST.saturating_sub(self.seen.len()) {
            self.way.lost = true;
            return;
        }
        let Some(found) = known.matching(&naming) else {
            self.way.lacks.insert(Need::Matching(naming));
            return;
        };
        for one in found {
            if one.id == start {
                self.way.lost = true;
                return;
            }
            if self.seen.insert(one.id.to_owned()) {
                self.way.next.push(one.id.to_owned());
            }
        }
    }
}

/// The positions on the way to an entity.
fn way(reached: &HashMap<&str, (u64, &str)>, last: &str) -> Vec<u64> {
    let mut positions = Vec::new();
    let mut at = last;
    while let Some((seq, from)) = reached.get(at) {
        positions.push(*seq);
        if positions.len() >= 64 {
            break;
        }
        at = from;
    }
    positions
}

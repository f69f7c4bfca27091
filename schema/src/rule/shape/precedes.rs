//! `precedes`: one thing comes before another, by position and by claimed time.

use super::{Broke, Case};
use crate::cel::Failure;
use crate::cel::check::Scope;
use crate::cel::node::{Node, Root};
use crate::cel::types::Type;
use crate::kind::Severity;
use crate::rule::compile::{Broken, Compiler};
use crate::rule::compiled::Opens;
use crate::rule::declare::{self, Condition, Rule};
use crate::rule::finds::Found;

#[derive(Debug, Clone)]
pub(crate) struct Precedes {
    /// The number of the look-up.
    other: usize,
    event_first: bool,
    pub(super) counts: Option<Node>,
    time: Option<Node>,
    other_time: Option<Node>,
    missing: Option<Outcome>,
    after: Option<Outcome>,
    backdated: Option<Outcome>,
}

#[derive(Debug, Clone)]
struct Outcome {
    id: String,
    severity: Severity,
    opens: Option<Opens>,
}

impl Precedes {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        declared: &declare::Precedes,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        let number = compiler.lookup(&rule.find, &declared.other, rule.line)?;
        let found = scope
            .names
            .iter()
            .find(|(name, _, _)| *name == declared.other);
        let entity = match found.map(|(_, kind, _)| kind.clone()) {
            Some(Type::List(entity)) => *entity,
            Some(entity @ Type::Entity(_)) => entity,
            _ => {
                let message = format!("`{}` is a number, no entity", declared.other);
                return Err(compiler.report(rule.line, message, "look entities up"));
            }
        };
        let inner = scope.with("other", entity, Root::Other);
        let mut moment = |condition: Option<&Condition>, scope: &Scope<'_>| {
            condition
                .map(|condition| compiler.moment(condition, scope))
                .transpose()
        };
        let time = moment(declared.time.as_ref(), scope)?;
        let other_time = moment(declared.other_time.as_ref(), &inner)?;
        let mut outcome = |declared: Option<&declare::Outcome>| {
            let Some(declared) = declared else {
                return Ok(None);
            };
            Ok(Some(Outcome {
                id: declared.id.clone(),
                severity: declared.severity,
                opens: compiler.opening(declared.incident.as_ref(), scope)?,
            }))
        };
        Ok(Self {
            missing: outcome(declared.missing.as_ref())?,
            after: outcome(declared.after.as_ref())?,
            backdated: outcome(declared.backdated.as_ref())?,
            other: number,
            event_first: declared.event_first,
            counts: compiler.truth(declared.counts.as_ref(), &inner)?,
            time,
            other_time,
        })
    }

    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        let found = case
            .found
            .get(self.other)
            .map_or_else(Vec::new, Found::views);
        let mut counting = Vec::new();
        for view in &found {
            if case.holds_of(self.counts.as_ref(), Some(view))? {
                counting.push(view);
            }
        }
        if counting.is_empty() {
            let missing = self.missing.as_ref().filter(|_| !self.event_first);
            return Ok(case.ends(missing));
        }
        let event = &case.base.inputs.event;
        let time = match &self.time {
            Some(node) => case.moment(node, None)?,
            None => Some(event.occurred_us),
        };
        let (mut in_order, mut known) = (false, false);
        for view in counting {
            let other = match &self.other_time {
                Some(node) => case.moment(node, Some(view))?,
                None => Some(view.created().occurred_us),
            };
            if let Some((time, other)) = time.zip(other) {
                known = true;
                in_order |= if self.event_first {
                    time < other
                } else {
                    other <= time
                };
            }
        }
        let ended = match (self.event_first, in_order) {
            (false, true) => None,
            // A time that nobody claims is in no order.
            (false, false) => self.after.as_ref().filter(|_| known),
            (true, true) => self.backdated.as_ref(),
            (true, false) => self.after.as_ref(),
        };
        Ok(case.ends(ended))
    }
}

impl<'a> Case<'_, 'a> {
    fn ends(&self, outcome: Option<&'a Outcome>) -> Vec<Broke<'a>> {
        let broke = |outcome: &'a Outcome| Broke {
            rule: outcome.id.as_str(),
            severity: outcome.severity,
            opens: outcome.opens.as_ref().or(self.opens),
            ..self.broke()
        };
        outcome.map(broke).into_iter().collect()
    }
}

//! What a rule's conditions speak of, as they are written.

use std::collections::BTreeSet;

use super::declare::{By, Condition, Find, Incident, On, Opening, Resolve, Rule, Shape, Whom};
use crate::cel::ast::{Expr, What};

impl Rule {
    /// Every condition of it.
    pub(crate) fn conditions(&self) -> Vec<&Condition> {
        let whom = self.whom.iter().flat_map(Whom::conditions);
        let mut all: Vec<&Condition> = whom.chain(&self.when).collect();
        all.extend(self.find.iter().flat_map(of_find));
        if let Some(each) = &self.each {
            all.push(&each.list);
            all.extend(&each.key);
        }
        match &self.shape {
            Shape::Require(condition) => all.push(condition),
            Shape::Unique { among, .. } => all.extend(among),
            Shape::Reference { is, .. } => all.extend(is),
            Shape::Precedes(one) => {
                all.extend(
                    [&one.counts, &one.time, &one.other_time]
                        .into_iter()
                        .flatten(),
                );
                let outcomes = [&one.missing, &one.after, &one.backdated];
                let incidents = outcomes.into_iter().flatten().flat_map(|one| &one.incident);
                all.extend(incidents.flat_map(of_opening));
            }
            Shape::Deadline(one) => {
                all.push(&one.due);
                all.extend(&one.unless);
                all.extend(
                    one.emit
                        .iter()
                        .flat_map(|emit| emit.data.iter().map(|(_, one)| one)),
                );
            }
            Shape::Authority { publishers, actors } => {
                all.extend([publishers, actors].into_iter().flatten());
            }
            Shape::Acyclic { .. } => {}
        }
        all.extend(self.incident.iter().flat_map(of_opening));
        all.extend(self.override_by.iter().map(|(_, when)| when));
        all
    }

    /// The settings that it names, `aliases` among them where names are compared over packages.
    pub fn settings(&self) -> BTreeSet<String> {
        settings(self.conditions())
    }

    /// The names that it raises: its own, and those of its outcomes.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::from([self.id.as_str()]);
        if let Shape::Precedes(one) = &self.shape {
            let outcomes = [&one.missing, &one.after, &one.backdated];
            names.extend(outcomes.into_iter().flatten().map(|one| one.id.as_str()));
        }
        names
    }

    /// What opens when it is broken, by any of its outcomes.
    pub fn classes(&self) -> BTreeSet<&str> {
        let outcomes = match &self.shape {
            Shape::Precedes(one) => vec![&one.missing, &one.after, &one.backdated],
            _ => Vec::new(),
        };
        let others = outcomes.into_iter().flatten().flat_map(|one| &one.incident);
        let all = self.incident.iter().chain(others);
        all.map(|one| one.class.as_str()).collect()
    }
}

impl Incident {
    /// The settings that it names.
    pub fn settings(&self) -> BTreeSet<String> {
        settings(self.conditions())
    }

    /// Every condition of it.
    pub(crate) fn conditions(&self) -> Vec<&Condition> {
        let mut all: Vec<&Condition> = self.whom.iter().flat_map(Whom::conditions).collect();
        all.extend(self.find.iter().flat_map(of_find));
        all.extend(of_opening(&self.opening));
        if let Some(Resolve { whom, when, .. }) = &self.resolve {
            all.extend(whom.iter().flat_map(Whom::conditions).chain(when));
        }
        all
    }
}

impl Shape {
    /// The fields, the order and the outcomes that it names, in words.
    pub(crate) fn fields(&self) -> String {
        match self {
            Self::Unique { fields, .. } => fields.join(", "),
            Self::Reference { field, kind, .. } => match kind {
                Some(kind) => format!("{field} ({kind})"),
                None => field.clone(),
            },
            Self::Acyclic { field } => field.clone(),
            Self::Precedes(one) => {
                let order = if one.event_first { "then" } else { "first" };
                let outcomes = [&one.missing, &one.after, &one.backdated];
                let outcomes = outcomes.into_iter().map(|outcome| match outcome {
                    Some(outcome) => format!("{} {}", outcome.id, outcome.severity),
                    None => "nothing".to_owned(),
                });
                let outcomes: Vec<String> = outcomes.collect();
                format!("{order} {}: {}", one.other, outcomes.join(", "))
            }
            Self::Deadline(one) => {
                let task = one.task.as_ref().map(|task| format!("task {}", task.class));
                let emit = one
                    .emit
                    .as_ref()
                    .map(|emit| format!("publishes {}", emit.verb));
                let silent = (!one.raise).then(|| "raises nothing".to_owned());
                let all: Vec<String> = task.into_iter().chain(emit).chain(silent).collect();
                all.join(", ")
            }
            Self::Require(_) | Self::Authority { .. } => String::new(),
        }
    }
}

impl On {
    /// In words.
    pub(crate) fn words(all: &[Self]) -> String {
        let words: Vec<String> = all.iter().map(|one| format!("`{one}`")).collect();
        words.join(", ")
    }
}

fn of_find(find: &Find) -> Vec<&Condition> {
    match &find.by {
        By::Id(id) => vec![id],
        By::Where(fields) | By::Count(fields) => fields.iter().map(|(_, one)| one).collect(),
    }
}

fn of_opening(opening: &Opening) -> Vec<&Condition> {
    let worse = opening.severity_when.iter().map(|(_, one)| one);
    let of = opening.of.iter().map(|(_, id)| id);
    worse.chain(&opening.when).chain(of).collect()
}

fn settings(conditions: Vec<&Condition>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for condition in conditions {
        paths(&condition.expr, &mut |path| {
            if let ["settings", rest @ ..] = path {
                found.insert(rest.join("."));
            }
        });
        calls(&condition.expr, &mut |name| {
            if name == "alias" {
                found.insert("aliases".to_owned());
            }
        });
    }
    found.remove("");
    found
}

/// Every way from a name along its members, `event.data.role`, the longest of each.
pub(super) fn paths(expr: &Expr, found: &mut dyn FnMut(&[&str])) {
    if let Some(path) = path(expr) {
        return found(&path);
    }
    children(expr, &mut |inner| paths(inner, found));
}

fn calls(expr: &Expr, found: &mut dyn FnMut(&str)) {
    if let What::Call(_, name, _) = &expr.what {
        found(name);
    }
    children(expr, &mut |inner| calls(inner, found));
}

fn path(expr: &Expr) -> Option<Vec<&str>> {
    match &expr.what {
        What::Name(name) => Some(vec![name]),
        What::Member(of, name) => {
            let mut names = path(of)?;
            names.push(name);
            Some(names)
        }
        _ => None,
    }
}

fn children(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    match &expr.what {
        What::Member(of, _) | What::Not(of) | What::Minus(of) => visit(of),
        What::Index(a, b) | What::Binary(_, a, b) => {
            visit(a);
            visit(b);
        }
        What::Call(target, _, arguments) => {
            if let Some(target) = target {
                visit(target);
            }
            arguments.iter().for_each(visit);
        }
        What::List(all) | What::And(all) | What::Or(all) => all.iter().for_each(visit),
        What::If(a, b, c) => [a, b, c].into_iter().for_each(|one| visit(one)),
        What::Null
        | What::Bool(_)
        | What::Int(_)
        | What::Double(_)
        | What::Text(_)
        | What::Name(_) => {}
    }
}

//! The shapes of rules: what each demands, compiled and judged. The set is closed.

mod acyclic;
mod authority;
mod deadline;
mod precedes;
mod reference;
mod unique;

use std::collections::BTreeSet;

use super::compile::{Broken, Compiler};
use super::compiled::Opens;
use super::declare::{self, Rule};
use super::finds::{Base, Found};
use super::inputs::{Known, Need};
use crate::cel::check::Scope;
use crate::cel::node::Node;
use crate::cel::{Failure, Value, View, truth};
use crate::kind::Severity;

pub(super) use acyclic::Acyclic;
pub(super) use authority::Authority;
pub(super) use deadline::Deadline;
pub(super) use precedes::Precedes;
pub(super) use reference::Reference;
pub(super) use unique::Unique;

/// What a rule demands, compiled.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// A condition holds.
    Require(Node),
    Unique(Unique),
    Reference(Reference),
    Precedes(Box<Precedes>),
    Deadline(Box<Deadline>),
    Authority(Authority),
    Acyclic(Acyclic),
}

/// One way in which a rule is broken at an event.
#[derive(Debug)]
pub(super) struct Broke<'a> {
    pub(super) rule: &'a str,
    pub(super) severity: Severity,
    pub(super) detail_key: String,
    /// Positions of entities that a look-up of the shape's own found.
    pub(super) judged_from: Vec<u64>,
    /// The incident that opens with it.
    pub(super) opens: Option<&'a Opens>,
}

/// What a rule is judged with: once, or for each item of its list.
pub(super) struct Case<'c, 'a> {
    pub(super) rule: &'a Rule,
    pub(super) opens: Option<&'a Opens>,
    pub(super) base: &'c Base<'a>,
    pub(super) found: &'c [Found<'a>],
    pub(super) item: &'c Value<'c>,
    pub(super) key: &'c str,
    pub(super) known: &'a dyn Known,
    pub(super) needs: &'c mut BTreeSet<Need>,
    pub(super) budget: &'c mut u64,
}

impl<'a> Case<'_, 'a> {
    /// The rule is broken, as it says.
    pub(super) fn broke(&self) -> Broke<'a> {
        Broke {
            rule: &self.rule.id,
            severity: self.rule.severity,
            detail_key: self.key.to_owned(),
            judged_from: Vec::new(),
            opens: self.opens,
        }
    }

    /// The value of a condition, of another entity, too (`other`, `target`).
    pub(super) fn ask<'f>(
        &'f mut self,
        node: &'f Node,
        other: Option<&'f View<'f>>,
    ) -> Result<Value<'f>, Failure> {
        let (found, item) = (self.found, self.item);
        self.base.ask(node, found, item, other, self.budget)
    }

    /// Whether a condition holds; one that is not there does.
    pub(super) fn holds(&mut self, node: Option<&Node>) -> Result<bool, Failure> {
        self.holds_of(node, None)
    }

    /// Whether a condition holds of another entity, too (`other`, `target`).
    pub(super) fn holds_of(
        &mut self,
        node: Option<&Node>,
        other: Option<&View<'_>>,
    ) -> Result<bool, Failure> {
        let Some(node) = node else { return Ok(true) };
        truth(&self.ask(node, other)?)
    }

    /// The moment that a condition gives; `None` where it gives none.
    pub(super) fn moment(
        &mut self,
        node: &Node,
        other: Option<&View<'_>>,
    ) -> Result<Option<i64>, Failure> {
        match self.ask(node, other)? {
            Value::Time(us) => Ok(Some(us)),
            Value::Null => Ok(None),
            odd => Err(Failure::Type(odd.type_name())),
        }
    }
}

impl Shape {
    pub(super) fn compile(
        compiler: &mut Compiler<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
    ) -> Result<Self, Broken> {
        use declare::Shape as Declared;
        Ok(match &rule.shape {
            Declared::Require(condition) => {
                let node = compiler.truth(Some(condition), scope)?;
                Self::Require(node.ok_or(Broken)?)
            }
            Declared::Unique { fields, among } => Self::Unique(Unique::compile(
                compiler,
                rule,
                fields,
                among.as_ref(),
                scope,
            )?),
            Declared::Reference { field, kind, is } => {
                let (kind, is) = (kind.as_ref(), is.as_ref());
                Self::Reference(Reference::compile(compiler, rule, field, kind, is, scope)?)
            }
            Declared::Precedes(one) => {
                Self::Precedes(Box::new(Precedes::compile(compiler, rule, one, scope)?))
            }
            Declared::Deadline(one) => {
                Self::Deadline(Box::new(Deadline::compile(compiler, one, scope)?))
            }
            Declared::Authority { publishers, actors } => {
                let (publishers, actors) = (publishers.as_ref(), actors.as_ref());
                Self::Authority(Authority::compile(compiler, publishers, actors, scope)?)
            }
            Declared::Acyclic { field } => Self::Acyclic(Acyclic::compile(compiler, rule, field)?),
        })
    }

    /// What it asks, but for look-ups.
    pub(super) fn conditions(&self) -> Vec<&Node> {
        match self {
            Self::Require(node) => vec![node],
            Self::Reference(shape) => shape.is.iter().collect(),
            Self::Precedes(shape) => shape.counts.iter().collect(),
            Self::Deadline(shape) => shape.unless.iter().collect(),
            Self::Unique(_) | Self::Authority(_) | Self::Acyclic(_) => Vec::new(),
        }
    }

    /// Judges it. What a look-up of its own lacks goes to the case's needs, and then the answer counts for nothing.
    pub(super) fn judge<'a>(&'a self, case: &mut Case<'_, 'a>) -> Result<Vec<Broke<'a>>, Failure> {
        match self {
            Self::Require(node) => {
                let holds = case.holds(Some(node))?;
                Ok(if holds {
                    Vec::new()
                } else {
                    vec![case.broke()]
                })
            }
            Self::Unique(shape) => shape.judge(case),
            Self::Reference(shape) => shape.judge(case),
            Self::Precedes(shape) => shape.judge(case),
            Self::Authority(shape) => Ok(shape.judge(case)),
            Self::Acyclic(shape) => shape.judge(case),
            // It breaks when it is due, not at an event.
            Self::Deadline(_) => Ok(Vec::new()),
        }
    }
}

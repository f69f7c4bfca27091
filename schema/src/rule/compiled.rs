//! Rules as they are judged: every name resolved, every condition checked.

use std::sync::Arc;

use super::declare::{Incident, On, Rule};
use super::inputs::RuleKey;
use super::shape::Shape;
use super::when::When;
use crate::cel::node::Node;
use crate::kind::Severity;
use crate::name::KindName;

/// A rule, or an incident that a kind declares, ready to be judged.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The kind that declares it.
    pub owner: KindName,
    /// What it says, where it is a rule.
    pub rule: Option<Rule>,
    /// What it says, where it is an incident's.
    pub incident: Option<Incident>,
    pub(super) on: Vec<On>,
    /// The entities of its kind that it is about, where that is not the event's own.
    pub(super) whom: Option<Whom>,
    /// Its name for verdicts, where it is a rule.
    pub key: Option<RuleKey>,
    pub(super) when: When,
    pub(super) find: Vec<Finder>,
    pub(super) each: Option<(Node, Option<Node>)>,
    /// The number of the look-up with the overrides, and which of them count.
    pub(super) override_by: Option<(usize, Node)>,
    pub(super) does: Does,
}

/// Which entities of the rule's own kind an event is about.
#[derive(Debug, Clone)]
pub(super) enum Whom {
    /// At an event of another kind: those with these identifiers.
    Id(Node),
    /// At every event: those that are found; at an event of this kind its own, too.
    Where(Finder),
}

/// What happens when the events come.
#[derive(Debug, Clone)]
pub(super) enum Does {
    /// A rule is judged.
    Judge(Box<Shape>, Option<Opens>),
    /// An incident opens.
    Open(Opens),
    /// An incident is resolved.
    Resolve(String),
}

impl Does {
    /// The class of the incidents that it opens or resolves.
    pub(super) fn class(&self) -> Option<&str> {
        match self {
            Self::Judge(_, opens) => opens.as_ref().map(|opens| &*opens.class),
            Self::Open(opens) => Some(&opens.class),
            Self::Resolve(class) => Some(class),
        }
    }
}

/// How an incident opens.
#[derive(Debug, Clone)]
pub(super) struct Opens {
    pub(super) class: String,
    pub(super) severity: Severity,
    pub(super) severity_when: Vec<(Severity, Node)>,
    pub(super) when: When,
    pub(super) of: Option<(KindName, Node)>,
}

/// A look-up.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    pub(super) kind: KindName,
    pub(super) by: FindBy,
    pub(super) most: u32,
    /// Whether more than `most` is an error: where `latest` says so, it is not.
    pub(super) strict: bool,
    /// Whether it asks for something of the item, or of look-ups before it.
    pub(super) of_item: bool,
    pub(super) of_found: bool,
}

#[derive(Debug, Clone)]
pub(super) enum FindBy {
    Id(Node),
    Where(Vec<(Arc<str>, Node)>),
    Count(Vec<(Arc<str>, Node)>),
}

impl FindBy {
    /// What it asks.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        let (one, many) = match self {
            Self::Id(node) => (Some(node), None),
            Self::Where(fields) | Self::Count(fields) => (None, Some(fields)),
        };
        let many = many.into_iter().flatten().map(|(_, node)| node);
        one.into_iter().chain(many)
    }
}

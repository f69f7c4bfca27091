//! The places of entities and events that a condition names.

use serde_json::Value;

use super::Place;
use crate::cel::node::{Constant, Node, OfEntity, OfEvent, Root};
use crate::cel::{ast::Operator, function::Function};

/// Whose place a condition names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Entity,
    Before,
    Event,
    /// One that was looked up, of whatever kind.
    Found,
}

/// The number of the look-up whose place a node names.
pub(super) fn found(node: &Node) -> Option<usize> {
    match node {
        Node::Root(Root::Found(number)) => Some(*number),
        Node::Member(base, _) | Node::OfEntity(base, _) | Node::Time(base) => found(base),
        Node::Call(Function::Alias, arguments) => found(arguments.get(1)?),
        _ => None,
    }
}

/// The branches of a condition, each with the conditions that lead there.
pub(super) fn branches<'n>(
    node: &'n Node,
    under: &mut Vec<&'n Node>,
    found: &mut Vec<(&'n Node, Vec<&'n Node>)>,
) {
    let Node::If(when, then, otherwise) = node else {
        found.push((node, under.clone()));
        return;
    };
    let before = under.len();
    match when.as_ref() {
        Node::And(all) => under.extend(all),
        one => under.push(one),
    }
    branches(then, under, found);
    under.truncate(before);
    branches(otherwise, under, found);
}

/// The place that a node names.
pub(super) fn place(node: &Node) -> Option<(Whose, Place)> {
    let of = |root: &Root| match root {
        Root::Entity => Some(Whose::Entity),
        Root::Before => Some(Whose::Before),
        Root::Found(_) | Root::Other | Root::Variable(_) => Some(Whose::Found),
        Root::Event | Root::Item | Root::Timer => None,
    };
    match node {
        Node::Time(inner) => place(inner),
        Node::Call(Function::Alias, arguments) => place(arguments.get(1)?),
        Node::Call(Function::LowerAscii, arguments) => place(arguments.first()?),
        Node::Member(base, name) => {
            let whose = match base.as_ref() {
                Node::OfEvent(OfEvent::Data) => Whose::Event,
                Node::Root(root) => of(root)?,
                _ => return None,
            };
            Some((whose, Place::Field(name.clone())))
        }
        Node::OfEntity(base, OfEntity::Id) => match base.as_ref() {
            Node::Root(root) => Some((of(root)?, Place::Id)),
            _ => None,
        },
        Node::OfEvent(OfEvent::Subject) => Some((Whose::Entity, Place::Id)),
        _ => None,
    }
}

/// What a comparison compares a place with.
pub(super) fn compared(node: &Node) -> Option<(Whose, Place, Value)> {
    let Node::Binary(Operator::Equal, one, other) = node else {
        return None;
    };
    let (node, value) = match (constant(one), constant(other)) {
        (None, Some(value)) => (one, value),
        (Some(value), None) => (other, value),
        _ => return None,
    };
    let (whose, place) = place(node)?;
    Some((whose, place, value))
}

pub(super) fn constant(node: &Node) -> Option<Value> {
    match node {
        Node::Constant(Constant::Text(text)) => Some(Value::from(text.as_str())),
        Node::Constant(Constant::Bool(flag)) => Some(Value::from(*flag)),
        Node::Constant(Constant::Int(number)) => Some(Value::from(*number)),
        _ => None,
    }
}

pub(super) fn constants(list: &Node) -> Vec<Value> {
    match list {
        Node::List(items) => items.iter().filter_map(constant).collect(),
        Node::Constant(Constant::Json(Value::Array(items))) => items.clone(),
        _ => Vec::new(),
    }
}

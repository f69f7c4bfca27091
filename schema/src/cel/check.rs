//! A condition against what the kinds declare: every name is known, every operator has values that it can work
//! with. What comes out is ready to be judged.

use super::ast::{Expr, Operator, What, Wrong};
use super::node::{Constant, Node, OfEntity, OfEvent, Root};
use super::types::{self, Type};
use crate::diagnostic::listed;
use crate::load::table::nearest;
use crate::rule::Settings;

/// What a condition may speak of.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'s> {
    pub(crate) names: Vec<(String, Type, Root)>,
    pub(crate) settings: &'s Settings,
}

impl Scope<'_> {
    /// The same with one name more.
    pub(crate) fn with(&self, name: &str, kind: Type, root: Root) -> Self {
        let mut more = self.clone();
        more.names.retain(|(other, _, _)| other != name);
        more.names.push((name.to_owned(), kind, root));
        more
    }
}

/// Checks a condition. It may become anything.
pub(crate) fn check(expr: &Expr, scope: &Scope<'_>) -> Result<(Node, Type), Wrong> {
    Checker {
        scope,
        loops: Vec::new(),
    }
    .expr(expr)
}

/// Checks a condition that has to be a truth value.
pub(crate) fn truth(expr: &Expr, scope: &Scope<'_>) -> Result<Node, Wrong> {
    match check(expr, scope)? {
        (node, Type::Bool) => Ok(node),
        (_, other) => {
            let message = format!("the condition is {}, no truth value", other.name());
            let mend = "compare it with something, e.g. `… == true` or `… != null`";
            Err(Wrong::new(expr.at, message, mend))
        }
    }
}

pub(super) struct Checker<'c, 's> {
    scope: &'c Scope<'s>,
    /// The variables of the loops around, the outermost first.
    pub(super) loops: Vec<(String, Type)>,
}

pub(super) type Checked = Result<(Node, Type), Wrong>;

impl Checker<'_, '_> {
    pub(super) fn expr(&mut self, expr: &Expr) -> Checked {
        let constant = |constant, kind| Ok((Node::Constant(constant), kind));
        match &expr.what {
            What::Null => constant(Constant::Null, Type::Null),
            What::Bool(value) => constant(Constant::Bool(*value), Type::Bool),
            What::Int(value) => constant(Constant::Int(*value), Type::Int),
            What::Double(value) => constant(Constant::Double(*value), Type::Number),
            What::Text(text) => constant(Constant::Text(text.clone()), Type::Text),
            What::Name(name) => self.name(expr.at, name),
            What::Member(of, name) => self.member(expr.at, of, name),
            What::Index(of, at) => self.index(expr.at, of, at),
            What::Call(target, name, arguments) => {
                self.call(expr.at, target.as_deref(), name, arguments)
            }
            What::List(items) => self.list(items),
            What::Not(of) => Ok((Node::Not(Box::new(self.truth(of)?)), Type::Bool)),
            What::Minus(of) => self.minus(of),
            What::Binary(operator, a, b) => self.binary(expr.at, *operator, a, b),
            What::And(parts) => Ok((Node::And(self.truths(parts)?), Type::Bool)),
            What::Or(parts) => Ok((Node::Or(self.truths(parts)?), Type::Bool)),
            What::If(condition, then, other) => {
                let condition = self.truth(condition)?;
                let (then, a) = self.expr(then)?;
                let (other, b) = self.expr(other)?;
                let node = Node::If(Box::new(condition), Box::new(then), Box::new(other));
                Ok((node, a.join(b)))
            }
        }
    }

    pub(super) fn truth(&mut self, expr: &Expr) -> Result<Node, Wrong> {
        match self.expr(expr)? {
            (node, Type::Bool | Type::Any) => Ok(node),
            (_, other) => {
                let message = format!("{} stands where a truth value should", other.name());
                let mend = "compare it with something, e.g. `… != null`";
                Err(Wrong::new(expr.at, message, mend))
            }
        }
    }

    fn truths(&mut self, parts: &[Expr]) -> Result<Vec<Node>, Wrong> {
        parts.iter().map(|part| self.truth(part)).collect()
    }

    fn name(&self, at: usize, name: &str) -> Checked {
        let depth = self.loops.iter().rposition(|(known, _)| known == name);
        if let Some((depth, (_, kind))) = depth.and_then(|one| Some((one, self.loops.get(one)?))) {
            return Ok((Node::Root(Root::Variable(depth)), kind.clone()));
        }
        let known = self.scope.names.iter().find(|(known, _, _)| known == name);
        if let Some((_, kind, root)) = known {
            return Ok((Node::Root(*root), kind.clone()));
        }
        let mut names: Vec<&str> = self
            .scope
            .names
            .iter()
            .map(|(name, _, _)| name.as_str())
            .collect();
        names.push("settings");
        Err(unknown(at, "name", name, &names))
    }

    fn member(&mut self, at: usize, of: &Expr, name: &str) -> Checked {
        if let Some(path) = settings_path(of) {
            return self.setting(at, &path, name);
        }
        let (node, kind) = self.expr(of)?;
        match &kind {
            Type::Entity(entity) => {
                if let (Some(status), "status") = (&entity.status, name) {
                    let node = Node::OfEntity(Box::new(node), OfEntity::Status);
                    return Ok((node, status.clone()));
                }
                if let Some((_, kind)) = entity.fields.iter().find(|(known, _)| known == name) {
                    return Ok(field(node, name, kind));
                }
                match OfEntity::parse(name) {
                    Some(OfEntity::Status) | None => {
                        let mut names: Vec<&str> = entity
                            .fields
                            .iter()
                            .map(|(name, _)| name.as_str())
                            .collect();
                        names.extend(["id", "exists", "since", "created", "changed", "seq"]);
                        Err(unknown(at, "field", name, &names))
                    }
                    Some(what) => {
                        Ok((Node::OfEntity(Box::new(node), what), types::of_entity(what)))
                    }
                }
            }
            Type::Event(members) => {
                let known = members.iter().find(|(known, _)| known == name);
                if let (Some((_, kind)), Some(what)) = (known, OfEvent::parse(name)) {
                    Ok((Node::OfEvent(what), kind.clone()))
                } else {
                    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                    Err(unknown(at, "member of `event`", name, &names))
                }
            }
            Type::Object(members) => {
                if let Some((_, kind)) = members.iter().find(|(known, _)| known == name) {
                    Ok(field(node, name, kind))
                } else {
                    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
                    Err(unknown(at, "field", name, &names))
                }
            }
            Type::Map(kind) => Ok(field(node, name, kind)),
            Type::Any => Ok(field(node, name, &Type::Any)),
            other => {
                let message = format!(
                    "`{name}` is asked of {}, which has no members",
                    other.name()
                );
                Err(Wrong::new(
                    at,
                    message,
                    "ask it of an object, a map or an entity",
                ))
            }
        }
    }

    /// A setting's value, which stands in the condition from now on; or a group of settings with dots between.
    fn setting(&self, at: usize, path: &str, name: &str) -> Checked {
        let full = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        if let Some((constant, kind)) = self.scope.settings.constant(&full) {
            return Ok((Node::Constant(constant), kind));
        }
        if self.scope.settings.is_group(&full) {
            let message = format!("`settings.{full}` is a group of settings");
            return Err(Wrong::new(at, message, "name one of them"));
        }
        let names: Vec<&str> = self.scope.settings.names().collect();
        Err(unknown(at, "setting", &full, &names))
    }

    fn index(&mut self, at: usize, of: &Expr, by: &Expr) -> Checked {
        let (of, kind) = self.expr(of)?;
        // `entity["status"]` is the field of that name, where `entity.status` is the lifecycle's.
        if let (Type::Entity(entity), What::Text(name)) = (&kind, &by.what) {
            let known = entity.fields.iter().find(|(known, _)| known == name);
            return known.map_or_else(
                || {
                    let names: Vec<&str> =
                        entity.fields.iter().map(|(one, _)| one.as_str()).collect();
                    Err(unknown(at, "field", name, &names))
                },
                |(_, kind)| Ok(field(of, name, kind)),
            );
        }
        let (by, by_kind) = self.expr(by)?;
        let inner = match (&kind, &by_kind) {
            (Type::List(inner), Type::Int | Type::Any)
            | (Type::Map(inner), Type::Text | Type::OneOf(_) | Type::Any) => (**inner).clone(),
            (Type::Any, _) => Type::Any,
            _ => {
                let message = format!("{} is asked for {}", kind.name(), by_kind.name());
                let mend = "ask a list for an integer, a map for text";
                return Err(Wrong::new(at, message, mend));
            }
        };
        let node = Node::Index(Box::new(of), Box::new(by));
        Ok((timed(node, &inner), inner))
    }

    fn list(&mut self, items: &[Expr]) -> Checked {
        let mut nodes = Vec::new();
        let mut inner = Type::Null;
        for item in items {
            let (node, kind) = self.expr(item)?;
            nodes.push(node);
            inner = inner.join(kind);
        }
        let inner = if items.is_empty() { Type::Any } else { inner };
        Ok((Node::List(nodes), Type::List(Box::new(inner))))
    }

    fn minus(&mut self, of: &Expr) -> Checked {
        let (node, kind) = self.expr(of)?;
        match kind {
            Type::Any | Type::Int | Type::Number | Type::Span => {
                Ok((Node::Minus(Box::new(node)), kind))
            }
            other => {
                let message = format!("{} has no minus", other.name());
                Err(Wrong::new(of.at, message, "write a number or a duration"))
            }
        }
    }

    fn binary(&mut self, at: usize, operator: Operator, a: &Expr, b: &Expr) -> Checked {
        let (left, kind) = self.expr(a)?;
        let (right, other) = self.expr(b)?;
        let result = match operator {
            Operator::Equal | Operator::NotEqual => {
                words(&kind, b)?;
                words(&other, a)?;
                kind.meets(&other).then_some(Type::Bool)
            }
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                let any = kind == Type::Any || other == Type::Any;
                let ordered = kind.family() == other.family() && (2..=6).contains(&kind.family());
                (any || ordered).then_some(Type::Bool)
            }
            Operator::In => match &other {
                Type::List(inner) => {
                    if let What::List(items) = &b.what {
                        items.iter().try_for_each(|item| words(&kind, item))?;
                    }
                    words(inner, a)?;
                    kind.meets(inner).then_some(Type::Bool)
                }
                Type::Map(_) | Type::Any => Some(Type::Bool),
                _ => None,
            },
            _ => arithmetic(operator, &kind, &other),
        };
        let Some(result) = result else {
            let message = format!(
                "`{}` stands between {} and {}",
                operator.as_str(),
                kind.name(),
                other.name()
            );
            let mend = "it has no meaning there: convert one of them, or compare something else";
            return Err(Wrong::new(at, message, mend));
        };
        let node = Node::Binary(operator, Box::new(left), Box::new(right));
        Ok((node, result))
    }
}

/// `settings`, `settings.a`, `settings.a.b`: what stands behind `settings`, with dots.
fn settings_path(expr: &Expr) -> Option<String> {
    match &expr.what {
        What::Name(name) if name == "settings" => Some(String::new()),
        What::Member(of, name) => {
            let path = settings_path(of)?;
            Some(if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            })
        }
        _ => None,
    }
}

fn field(of: Node, name: &str, kind: &Type) -> (Node, Type) {
    let node = Node::Member(Box::new(of), name.to_owned());
    (timed(node, kind), kind.clone())
}

/// What the kind declares as a timestamp is text in JSON.
fn timed(node: Node, kind: &Type) -> Node {
    if *kind == Type::Time {
        Node::Time(Box::new(node))
    } else {
        node
    }
}

/// A text beside something that is one of some texts has to be among them: a status, a verb, an enum's value.
fn words(kind: &Type, beside: &Expr) -> Result<(), Wrong> {
    match (kind, &beside.what) {
        (Type::OneOf(values), What::Text(text)) if !values.contains(text) => {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let mend = match nearest(text, &values) {
                Some(near) => format!("write `{near}`"),
                None => format!("write one of {}", listed(values)),
            };
            let message = format!("`{text}` is nothing that it can be");
            Err(Wrong::new(beside.at, message, mend))
        }
        _ => Ok(()),
    }
}

fn arithmetic(operator: Operator, a: &Type, b: &Type) -> Option<Type> {
    Some(match (operator, a, b) {
        (_, Type::Int, Type::Int) => Type::Int,
        (Operator::Add, Type::List(a), Type::List(b)) => {
            Type::List(Box::new(a.as_ref().clone().join(b.as_ref().clone())))
        }
        (_, Type::Null, _)
        | (_, _, Type::Null)
        | (Operator::Modulo, Type::Number, _)
        | (Operator::Modulo, _, Type::Number) => return None,
        (_, Type::Any, _) | (_, _, Type::Any) => Type::Any,
        (_, Type::Int | Type::Number, Type::Int | Type::Number) => Type::Number,
        (Operator::Add, Type::Time, Type::Span) | (Operator::Add, Type::Span, Type::Time) => {
            Type::Time
        }
        (Operator::Subtract, Type::Time, Type::Span) => Type::Time,
        (Operator::Subtract, Type::Time, Type::Time)
        | (Operator::Add | Operator::Subtract, Type::Span, Type::Span)
        | (Operator::Multiply, Type::Span, Type::Int | Type::Number)
        | (Operator::Multiply, Type::Int | Type::Number, Type::Span) => Type::Span,
        (Operator::Add, Type::Text | Type::OneOf(_), Type::Text | Type::OneOf(_)) => Type::Text,
        _ => return None,
    })
}

pub(super) fn unknown(at: usize, what: &str, name: &str, known: &[&str]) -> Wrong {
    let mend = match nearest(name, known) {
        Some(near) => format!("write `{near}`"),
        None => format!("known here: {}", listed(known.iter().copied())),
    };
    Wrong::new(at, format!("unknown {what} `{name}`"), mend)
}

//! Calls in a condition: functions, loops over lists, patterns, and moments and spans written out.

use super::ast::{Expr, Operator, What, Wrong};
use super::check::{Checked, Checker, unknown};
use super::function::Function;
use super::node::{Constant, Loop, Node};
use super::types::Type;
use super::value::parse_span_us;
use crate::time;

/// The longest program that a regular expression may become, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

impl Checker<'_, '_> {
    pub(super) fn call(
        &mut self,
        at: usize,
        target: Option<&Expr>,
        name: &str,
        arguments: &[Expr],
    ) -> Checked {
        let looping = match name {
            "all" => Some(Loop::All),
            "exists" => Some(Loop::Exists),
            "exists_one" => Some(Loop::ExistsOne),
            "filter" => Some(Loop::Filter),
            "map" => Some(Loop::Map),
            _ => None,
        };
        if let (Some(how), Some(over)) = (looping, target) {
            return self.each(at, how, over, arguments);
        }
        let mut all: Vec<&Expr> = target.into_iter().collect();
        all.extend(arguments);
        match (name, all.as_slice()) {
            ("has", [one]) if target.is_none() && matches!(one.what, What::Member(..)) => {
                let (node, _) = self.expr(one)?;
                let null = Box::new(Node::Constant(Constant::Null));
                let node = Node::Binary(Operator::NotEqual, Box::new(node), null);
                Ok((node, Type::Bool))
            }
            ("matches", [text, pattern]) => self.matches(text, pattern),
            (
                "duration" | "timestamp",
                [
                    Expr {
                        what: What::Text(text),
                        at,
                    },
                ],
            ) => literal(*at, name, text),
            _ => self.function(at, name, &all),
        }
    }

    /// `list.all(name, condition)` and its like.
    fn each(&mut self, at: usize, how: Loop, over: &Expr, arguments: &[Expr]) -> Checked {
        let (over, kind) = self.expr(over)?;
        let inner = match &kind {
            Type::List(inner) => (**inner).clone(),
            Type::Map(_) => Type::Text,
            Type::Any => Type::Any,
            other => {
                let message = format!("{} has no items", other.name());
                return Err(Wrong::new(
                    at,
                    message,
                    "go through a list or a map's names",
                ));
            }
        };
        let [
            Expr {
                what: What::Name(name),
                ..
            },
            body,
        ] = arguments
        else {
            let mend = "write e.g. `nodes.all(node, node.role == \"worker\")`";
            return Err(Wrong::new(at, "a name and an expression are needed", mend));
        };
        let variable = self.loops.len();
        self.loops.push((name.clone(), inner.clone()));
        let checked = if how == Loop::Map {
            self.expr(body)
        } else {
            self.truth(body).map(|node| (node, Type::Bool))
        };
        self.loops.truncate(variable);
        let (body, gives) = checked?;
        let times = inner == Type::Time;
        let result = match how {
            Loop::Filter if times => Type::List(Box::new(Type::Any)),
            Loop::Filter => Type::List(Box::new(inner)),
            Loop::Map => Type::List(Box::new(if gives == Type::Time {
                Type::Any
            } else {
                gives
            })),
            _ => Type::Bool,
        };
        let (over, body) = (Box::new(over), Box::new(body));
        let node = Node::Loop {
            how,
            over,
            times,
            variable,
            body,
        };
        Ok((node, result))
    }

    fn matches(&mut self, text: &Expr, pattern: &Expr) -> Checked {
        let (node, kind) = self.expr(text)?;
        if !matches!(kind, Type::Any | Type::Null | Type::Text | Type::OneOf(_)) {
            let message = format!("`matches` is asked of {}", kind.name());
            return Err(Wrong::new(text.at, message, "ask it of text"));
        }
        let What::Text(written) = &pattern.what else {
            let mend = "write it in quotes, or list what is allowed in a setting and use `in`";
            return Err(Wrong::new(
                pattern.at,
                "the pattern of `matches` is computed",
                mend,
            ));
        };
        let regex = regex::RegexBuilder::new(written)
            .size_limit(REGEX_LIMIT)
            .build();
        let regex = regex.map_err(|error| {
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim();
            let message = format!("`{written}` is not a pattern: {why}");
            let mend = "mend the regular expression (no look-around, no back-references)";
            Wrong::new(pattern.at, message, mend)
        })?;
        Ok((Node::Matches(Box::new(node), regex), Type::Bool))
    }

    fn function(&mut self, at: usize, name: &str, arguments: &[&Expr]) -> Checked {
        let Some((_, function, takes)) = Function::ALL.iter().find(|(known, _, _)| *known == name)
        else {
            let mut names: Vec<&str> = Function::ALL.iter().map(|(name, _, _)| *name).collect();
            names.extend([
                "has",
                "matches",
                "all",
                "exists",
                "exists_one",
                "filter",
                "map",
            ]);
            return Err(unknown(at, "function", name, &names));
        };
        if takes.len() != arguments.len() {
            let message = format!("`{name}` is given {} arguments", arguments.len());
            let mend = format!("it takes {}", takes.len());
            return Err(Wrong::new(at, message, mend));
        }
        let mut nodes = Vec::new();
        let mut first = Type::Any;
        for (place, (argument, takes)) in arguments.iter().zip(*takes).enumerate() {
            let (node, kind) = self.expr(argument)?;
            if !takes.accepts(&kind) {
                let message = format!("`{name}` is given {}", kind.name());
                let mend = format!("it takes {} there", takes.name());
                return Err(Wrong::new(argument.at, message, mend));
            }
            nodes.push(node);
            if place == 0 {
                first = kind;
            }
        }
        Ok((Node::Call(*function, nodes), function.gives(&first)))
    }
}

/// `duration("…")` and `timestamp("…")` of text that stands in the condition.
fn literal(at: usize, name: &str, text: &str) -> Checked {
    let read = if name == "duration" {
        parse_span_us(text).map(|us| (Node::Constant(Constant::Span(us)), Type::Span))
    } else {
        time::parse_rfc3339_us(text).map(|us| (Node::Constant(Constant::Time(us)), Type::Time))
    };
    read.ok_or_else(|| {
        let mend = if name == "duration" {
            "write numbers with units, e.g. `1h30m`, `24h`, `92d`"
        } else {
            "write RFC 3339, e.g. `2026-08-02T21:00:01Z`"
        };
        Wrong::new(at, format!("`{text}` is no {name}"), mend)
    })
}

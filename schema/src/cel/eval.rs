//! Judging a condition: bounded, without a clock, and without an answer it does not have.

use regex::Regex;

use super::ast::Operator;
use super::node::{Constant, Loop, Node, OfEntity, OfEvent, Root};
use super::value::{Value, to_double};
use crate::entity::View;
use crate::rule::Event;

/// How many steps all conditions of one rule may take on one event.
pub const BUDGET: u64 = 200_000;

/// Why a condition has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It took more steps than it may.
    #[error("the condition takes more than {BUDGET} steps")]
    Budget,
    /// A value was of a type with which that cannot be done.
    #[error("the condition met a value of type {0} with which it can do nothing")]
    Type(&'static str),
    /// A number, a time or a duration left what it can hold; or a division by zero.
    #[error("the condition computes a number out of bounds")]
    Overflow,
    /// A look-up found more entities than a rule looks at.
    #[error("a look-up finds more entities than a rule looks at")]
    TooMany,
}

/// What a condition is judged with.
#[derive(Debug, Clone)]
pub(crate) struct Frame<'a> {
    pub(crate) event: &'a Event<'a>,
    pub(crate) entity: Option<&'a View<'a>>,
    pub(crate) before: Option<&'a View<'a>>,
    pub(crate) found: Vec<Value<'a>>,
    pub(crate) item: Value<'a>,
    pub(crate) other: Value<'a>,
    pub(crate) timer: Option<i64>,
    pub(crate) aliases: &'a serde_json::Value,
    /// Steps left.
    pub(crate) budget: u64,
    pub(crate) variables: Vec<Value<'a>>,
}

/// The value of a condition.
pub(crate) fn evaluate<'a>(node: &'a Node, frame: &mut Frame<'a>) -> Result<Value<'a>, Failure> {
    frame.spend(1)?;
    match node {
        Node::Constant(constant) => Ok(of_constant(constant)),
        Node::Root(root) => Ok(frame.root(*root)),
        Node::Member(of, name) => member(&evaluate(of, frame)?, name),
        Node::OfEntity(of, what) => of_entity(&evaluate(of, frame)?, *what),
        Node::OfEvent(what) => Ok(of_event(frame.event, *what)),
        Node::Index(of, at) => {
            let of = evaluate(of, frame)?;
            index(&of, &evaluate(at, frame)?)
        }
        Node::Time(of) => {
            let value = evaluate(of, frame)?;
            value.into_time().ok_or(Failure::Type("text"))
        }
        Node::Not(of) => Ok(Value::Bool(!truth(&evaluate(of, frame)?)?)),
        Node::Minus(of) => minus(&evaluate(of, frame)?),
        Node::Binary(operator, a, b) => {
            let a = evaluate(a, frame)?;
            let b = evaluate(b, frame)?;
            binary(*operator, &a, &b, frame)
        }
        Node::And(parts) => joined(parts, false, frame),
        Node::Or(parts) => joined(parts, true, frame),
        Node::If(condition, then, other) => {
            let chosen = if truth(&evaluate(condition, frame)?)? {
                then
            } else {
                other
            };
            evaluate(chosen, frame)
        }
        Node::List(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(|one| evaluate(one, frame)).collect();
            Ok(Value::List(items?.into()))
        }
        Node::Loop {
            how,
            over,
            times,
            variable,
            body,
        } => {
            let over = evaluate(over, frame)?;
            each(*how, &over, *times, *variable, body, frame)
        }
        Node::Matches(of, regex) => matches(&evaluate(of, frame)?, regex, frame),
        Node::Call(function, arguments) => {
            let values: Result<Vec<_>, _> =
                arguments.iter().map(|one| evaluate(one, frame)).collect();
            let values = values?;
            frame.spend(function.cost(&values))?;
            function.call(&values, frame.aliases)
        }
    }
}

impl<'a> Frame<'a> {
    fn spend(&mut self, steps: u64) -> Result<(), Failure> {
        self.budget = self.budget.checked_sub(steps).ok_or(Failure::Budget)?;
        Ok(())
    }

    fn root(&self, root: Root) -> Value<'a> {
        match root {
            Root::Event => Value::Event,
            Root::Entity => self.entity.map_or(Value::Null, Value::Entity),
            Root::Before => self.before.map_or(Value::Null, Value::Entity),
            Root::Found(number) => self.found.get(number).cloned().unwrap_or(Value::Null),
            Root::Item => self.item.clone(),
            Root::Other => self.other.clone(),
            Root::Timer => self.timer.map_or(Value::Null, Value::Time),
            Root::Variable(number) => self.variables.get(number).cloned().unwrap_or(Value::Null),
        }
    }
}

/// What a truth value says.
pub(crate) fn truth(value: &Value<'_>) -> Result<bool, Failure> {
    match value {
        Value::Bool(value) => Ok(*value),
        other => Err(Failure::Type(other.type_name())),
    }
}

fn of_constant(constant: &Constant) -> Value<'_> {
    match constant {
        Constant::Null => Value::Null,
        Constant::Bool(value) => Value::Bool(*value),
        Constant::Int(value) => Value::Int(*value),
        Constant::Double(value) => Value::Double(*value),
        Constant::Text(text) => Value::text(text.as_str()),
        Constant::Time(us) => Value::Time(*us),
        Constant::Span(us) => Value::Span(*us),
        Constant::Json(value) => Value::of(value),
    }
}

fn member<'a>(of: &Value<'a>, name: &str) -> Result<Value<'a>, Failure> {
    let value = match of {
        Value::Null => None,
        Value::Entity(view) => view.field(name),
        other => {
            let members = other.members();
            members
                .ok_or_else(|| Failure::Type(of.type_name()))?
                .get(name)
        }
    };
    Ok(value.map_or(Value::Null, Value::of))
}

fn of_entity<'a>(of: &Value<'a>, what: OfEntity) -> Result<Value<'a>, Failure> {
    let view = match of {
        Value::Entity(view) => *view,
        Value::Null if what == OfEntity::Exists => return Ok(Value::Bool(false)),
        Value::Null => return Ok(Value::Null),
        other => return Err(Failure::Type(other.type_name())),
    };
    Ok(match what {
        OfEntity::Id => Value::text(view.id),
        OfEntity::Kind => Value::text(view.kind),
        OfEntity::Exists => Value::Bool(true),
        OfEntity::Status => view.status().map_or(Value::Null, Value::text),
        OfEntity::Since | OfEntity::SinceRecorded | OfEntity::SinceSeq
            if view.status().is_none() =>
        {
            Value::Null
        }
        OfEntity::Since => Value::Time(view.since().occurred_us),
        OfEntity::SinceRecorded => Value::Time(view.since().recorded_us),
        OfEntity::SinceSeq => position(view.since_seq()),
        OfEntity::Created => Value::Time(view.created().occurred_us),
        OfEntity::CreatedRecorded => Value::Time(view.created().recorded_us),
        OfEntity::CreatedSeq => position(view.created_seq()),
        OfEntity::Changed => Value::Time(view.changed().occurred_us),
        OfEntity::ChangedRecorded => Value::Time(view.changed().recorded_us),
        OfEntity::Seq => position(view.seq()),
    })
}

fn position<'a>(seq: u64) -> Value<'a> {
    i64::try_from(seq).map_or(Value::Null, Value::Int)
}

fn of_event<'a>(event: &'a Event<'a>, what: OfEvent) -> Value<'a> {
    match what {
        OfEvent::Data => Value::of(event.data),
        OfEvent::Kind => Value::text(event.kind),
        OfEvent::Verb => Value::text(event.verb),
        OfEvent::Id => Value::text(event.id),
        OfEvent::Subject => Value::text(event.subject),
        OfEvent::Source => Value::text(event.source),
        OfEvent::Actor => Value::text(event.actor),
        OfEvent::Publisher => Value::text(event.publisher),
        OfEvent::Context => Value::Object(event.context),
        OfEvent::Time => Value::Time(event.occurred_us),
        OfEvent::Recorded => Value::Time(event.recorded_us),
        OfEvent::Seq => position(event.seq),
    }
}

fn index<'a>(of: &Value<'a>, at: &Value<'a>) -> Result<Value<'a>, Failure> {
    match at {
        _ if of.is_null() => Ok(Value::Null),
        Value::Text(name) => match of.members() {
            Some(members) => Ok(members.get(&**name).map_or(Value::Null, Value::of)),
            None => Err(Failure::Type(of.type_name())),
        },
        Value::Int(place) if of.length().is_some() => {
            let place = usize::try_from(*place).ok();
            Ok(place
                .and_then(|place| of.item(place))
                .unwrap_or(Value::Null))
        }
        other => Err(Failure::Type(other.type_name())),
    }
}

fn minus<'a>(value: &Value<'a>) -> Result<Value<'a>, Failure> {
    match value {
        Value::Int(integer) => integer
            .checked_neg()
            .map(Value::Int)
            .ok_or(Failure::Overflow),
        Value::Span(span) => span.checked_neg().map(Value::Span).ok_or(Failure::Overflow),
        Value::Double(double) => Ok(Value::Double(-double)),
        other => Err(Failure::Type(other.type_name())),
    }
}

/// `&&` and `||`: a part that decides does so even where another fails (CEL, "Logical operators").
fn joined<'a>(
    parts: &'a [Node],
    decides: bool,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    let mut failed = None;
    for part in parts {
        match evaluate(part, frame).and_then(|value| truth(&value)) {
            Ok(value) if value == decides => return Ok(Value::Bool(decides)),
            Ok(_) => {}
            Err(Failure::Budget) => return Err(Failure::Budget),
            Err(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    failed.map_or(Ok(Value::Bool(!decides)), Err)
}

fn matches<'a>(
    value: &Value<'a>,
    regex: &Regex,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    match value {
        Value::Null => Ok(Value::Bool(false)),
        Value::Text(text) => {
            frame.spend(u64::try_from(text.len() / 16).unwrap_or(u64::MAX))?;
            Ok(Value::Bool(regex.is_match(text)))
        }
        other => Err(Failure::Type(other.type_name())),
    }
}

fn each<'a>(
    how: Loop,
    over: &Value<'a>,
    times: bool,
    variable: usize,
    body: &'a Node,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    let names: Vec<Value<'a>> = over
        .members()
        .map(|members| {
            members
                .keys()
                .map(|name| Value::text(name.as_str()))
                .collect()
        })
        .unwrap_or_default();
    let length = match over.members() {
        Some(_) => names.len(),
        None => over
            .length()
            .ok_or_else(|| Failure::Type(over.type_name()))?,
    };
    let mut kept = Vec::new();
    let (mut found, mut failed) = (0_u32, None);
    for place in 0..length {
        let item = names
            .get(place)
            .cloned()
            .or_else(|| over.item(place))
            .unwrap_or(Value::Null);
        let item = if times {
            item.into_time().ok_or(Failure::Type("text"))?
        } else {
            item
        };
        frame.variables.truncate(variable);
        frame.variables.push(item.clone());
        let answer = evaluate(body, frame);
        frame.variables.truncate(variable);
        if how == Loop::Map {
            kept.push(answer?);
            continue;
        }
        match answer.and_then(|value| truth(&value)) {
            Ok(false) if how == Loop::All => return Ok(Value::Bool(false)),
            Ok(true) if how == Loop::Exists => return Ok(Value::Bool(true)),
            Ok(true) if how == Loop::Filter => kept.push(item),
            Ok(answer) => found += u32::from(answer),
            // An item that decides does so even where another fails.
            Err(failure)
                if failure != Failure::Budget && matches!(how, Loop::All | Loop::Exists) =>
            {
                failed.get_or_insert(failure);
            }
            Err(failure) => return Err(failure),
        }
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    Ok(match how {
        Loop::All => Value::Bool(true),
        Loop::Exists => Value::Bool(false),
        Loop::ExistsOne => Value::Bool(found == 1),
        Loop::Filter | Loop::Map => Value::List(kept.into()),
    })
}

fn binary<'a>(
    operator: Operator,
    a: &Value<'a>,
    b: &Value<'a>,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    match operator {
        Operator::Equal | Operator::NotEqual => {
            frame.spend(depth_cost(a))?;
            Ok(Value::Bool(a.equals(b) == (operator == Operator::Equal)))
        }
        Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
            let Some(order) = a.compare(b) else {
                let nan = matches!((a, b), (Value::Double(_), _) | (_, Value::Double(_)));
                if nan && !a.is_null() && !b.is_null() {
                    return Ok(Value::Bool(false));
                }
                let odd = if a.is_null() { a } else { b };
                return Err(Failure::Type(odd.type_name()));
            };
            Ok(Value::Bool(match operator {
                Operator::Less => order.is_lt(),
                Operator::LessEqual => order.is_le(),
                Operator::Greater => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        Operator::In => contains(a, b, frame),
        _ => arithmetic(operator, a, b, frame),
    }
}

/// What comparing costs beyond a step.
fn depth_cost(value: &Value<'_>) -> u64 {
    let length = value
        .members()
        .map_or_else(|| value.length().unwrap_or(0), serde_json::Map::len);
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn contains<'a>(
    item: &Value<'a>,
    list: &Value<'a>,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    if let Some(members) = list.members() {
        let Value::Text(name) = item else {
            return Ok(Value::Bool(false));
        };
        return Ok(Value::Bool(members.contains_key(&**name)));
    }
    let length = list
        .length()
        .ok_or_else(|| Failure::Type(list.type_name()))?;
    frame.spend(depth_cost(list))?;
    let mut items = (0..length).filter_map(|place| list.item(place));
    Ok(Value::Bool(items.any(|other| other.equals(item))))
}

fn arithmetic<'a>(
    operator: Operator,
    a: &Value<'a>,
    b: &Value<'a>,
    frame: &mut Frame<'a>,
) -> Result<Value<'a>, Failure> {
    let checked =
        |value: Option<i64>, what: fn(i64) -> Value<'a>| value.map(what).ok_or(Failure::Overflow);
    match (operator, a, b) {
        (_, Value::Int(a), Value::Int(b)) => checked(integers(operator, *a, *b), Value::Int),
        (_, Value::Double(a), Value::Double(b)) => doubles(operator, *a, *b),
        (_, Value::Int(a), Value::Double(b)) => doubles(operator, to_double(*a), *b),
        (_, Value::Double(a), Value::Int(b)) => doubles(operator, *a, to_double(*b)),
        (Operator::Add, Value::Time(a), Value::Span(b))
        | (Operator::Add, Value::Span(a), Value::Time(b)) => {
            checked(a.checked_add(*b), Value::Time)
        }
        (Operator::Subtract, Value::Time(a), Value::Span(b)) => {
            checked(a.checked_sub(*b), Value::Time)
        }
        (Operator::Subtract, Value::Time(a), Value::Time(b))
        | (Operator::Subtract, Value::Span(a), Value::Span(b)) => {
            checked(a.checked_sub(*b), Value::Span)
        }
        (Operator::Add, Value::Span(a), Value::Span(b)) => checked(a.checked_add(*b), Value::Span),
        (Operator::Multiply, Value::Span(a), Value::Int(b))
        | (Operator::Multiply, Value::Int(b), Value::Span(a)) => {
            checked(a.checked_mul(*b), Value::Span)
        }
        (Operator::Multiply, Value::Span(a), Value::Double(b))
        | (Operator::Multiply, Value::Double(b), Value::Span(a)) => {
            let product = (to_double(*a) * b).round();
            let within = product.abs() < 9.0e18;
            let exact = within
                .then(|| format!("{product:.0}").parse().ok())
                .flatten();
            checked(exact, Value::Span)
        }
        (Operator::Add, Value::Text(a), Value::Text(b)) => {
            let length = a.len().saturating_add(b.len());
            frame.spend(u64::try_from(length / 64).unwrap_or(u64::MAX))?;
            // Text that grows is bounded by what an event can hold.
            if length > 1 << 18 {
                return Err(Failure::Budget);
            }
            Ok(Value::text(format!("{a}{b}")))
        }
        (Operator::Add, a, b) if a.length().is_some() && b.length().is_some() && !a.is_null() => {
            frame.spend(depth_cost(a).saturating_add(depth_cost(b)))?;
            let of = |list: &Value<'a>| {
                let length = list.length().unwrap_or(0);
                (0..length)
                    .filter_map(|place| list.item(place))
                    .collect::<Vec<_>>()
            };
            let mut all = of(a);
            all.extend(of(b));
            Ok(Value::List(all.into()))
        }
        (_, Value::Null, _) | (_, _, Value::Null) => Err(Failure::Type("null")),
        _ => Err(Failure::Type(b.type_name())),
    }
}

fn integers(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide => a.checked_div(b),
        Operator::Modulo => a.checked_rem(b),
        _ => None,
    }
}

fn doubles<'a>(operator: Operator, a: f64, b: f64) -> Result<Value<'a>, Failure> {
    Ok(Value::Double(match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
        _ => return Err(Failure::Type("number")),
    }))
}

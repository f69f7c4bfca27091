//! A condition as it is judged: names resolved, types checked, patterns compiled, settings put in.

use regex::Regex;

use super::ast::Operator;
use super::function::Function;

/// What a condition does, step by step.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Constant),
    Root(Root),
    /// A member of an object, or of an entity's attributes.
    Member(Box<Node>, String),
    /// What the ledger knows of an entity.
    OfEntity(Box<Node>, OfEntity),
    OfEvent(OfEvent),
    Index(Box<Node>, Box<Node>),
    /// Text that the kind declares as a timestamp.
    Time(Box<Node>),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    If(Box<Node>, Box<Node>, Box<Node>),
    List(Vec<Node>),
    Loop {
        how: Loop,
        over: Box<Node>,
        /// Whether items are timestamps written as text.
        times: bool,
        /// The number of the variable.
        variable: usize,
        body: Box<Node>,
    },
    Matches(Box<Node>, Regex),
    Call(Function, Vec<Node>),
}

/// A value that stands in the condition, or a setting.
#[derive(Debug, Clone)]
pub(crate) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Time(i64),
    Span(i64),
    Json(serde_json::Value),
}

/// Where a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Event,
    /// The entity after the event.
    Entity,
    /// The entity before the event.
    Before,
    /// A look-up, by its number.
    Found(usize),
    /// The item of a list that is judged on its own.
    Item,
    /// Another entity that a shape looks at (`other`, `target`).
    Other,
    /// When the deadline that is running is due.
    Timer,
    /// A variable of a loop.
    Variable(usize),
}

/// What the ledger knows of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfEntity {
    Id,
    Kind,
    Exists,
    Status,
    Since,
    SinceRecorded,
    SinceSeq,
    Created,
    CreatedRecorded,
    CreatedSeq,
    Changed,
    ChangedRecorded,
    Seq,
}

/// What an event's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfEvent {
    Data,
    Kind,
    Verb,
    Id,
    Subject,
    Source,
    Actor,
    Publisher,
    Context,
    Time,
    Recorded,
    Seq,
}

/// What is asked of a list's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loop {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl OfEntity {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "id" => Self::Id,
            "kind" => Self::Kind,
            "exists" => Self::Exists,
            "status" => Self::Status,
            "since" => Self::Since,
            "since_recorded" => Self::SinceRecorded,
            "since_seq" => Self::SinceSeq,
            "created" => Self::Created,
            "created_recorded" => Self::CreatedRecorded,
            "created_seq" => Self::CreatedSeq,
            "changed" => Self::Changed,
            "changed_recorded" => Self::ChangedRecorded,
            "seq" => Self::Seq,
            _ => return None,
        })
    }
}

impl OfEvent {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "data" => Self::Data,
            "kind" => Self::Kind,
            "verb" => Self::Verb,
            "id" => Self::Id,
            "subject" => Self::Subject,
            "source" => Self::Source,
            "actor" => Self::Actor,
            "publisher" => Self::Publisher,
            "context" => Self::Context,
            "time" => Self::Time,
            "recorded" => Self::Recorded,
            "seq" => Self::Seq,
            _ => return None,
        })
    }
}

impl Node {
    /// Whether it begins anywhere at such a root.
    pub(crate) fn mentions(&self, wanted: &dyn Fn(Root) -> bool) -> bool {
        match self {
            Self::Constant(_) | Self::OfEvent(_) => false,
            Self::Root(root) => wanted(*root),
            Self::Member(of, _)
            | Self::OfEntity(of, _)
            | Self::Time(of)
            | Self::Not(of)
            | Self::Minus(of)
            | Self::Matches(of, _) => of.mentions(wanted),
            Self::Index(a, b) | Self::Binary(_, a, b) => a.mentions(wanted) || b.mentions(wanted),
            Self::If(a, b, c) => [a, b, c].iter().any(|one| one.mentions(wanted)),
            Self::And(parts) | Self::Or(parts) | Self::List(parts) | Self::Call(_, parts) => {
                parts.iter().any(|one| one.mentions(wanted))
            }
            Self::Loop { over, body, .. } => over.mentions(wanted) || body.mentions(wanted),
        }
    }
}

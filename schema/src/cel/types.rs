//! What a condition's values can be, as far as the kinds say so. Everything can be `null` as well.

use std::sync::Arc;

use super::node::OfEntity;
use crate::diagnostic::listed;
use crate::kind::{EventDef, Field, Kind, Shape};

/// The type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// Nothing is known of it.
    Any,
    Null,
    Bool,
    Int,
    Number,
    Text,
    /// One of these texts.
    OneOf(Arc<[String]>),
    /// A moment.
    Time,
    /// A length of time.
    Span,
    List(Box<Type>),
    Map(Box<Type>),
    Object(Arc<Fields>),
    /// An entity: its fields, and what the ledger knows of it.
    Entity(Arc<Entity>),
    /// The event: what its header says, and `data`.
    Event(Arc<Fields>),
}

/// Named members.
pub(crate) type Fields = Vec<(String, Type)>;

/// What a condition can say of an entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entity {
    pub(crate) fields: Fields,
    /// The states of its lifecycle, if it has one.
    pub(crate) status: Option<Type>,
}

impl Type {
    /// In words, for messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Any => "anything".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Bool => "a truth value".to_owned(),
            Self::Int => "an integer".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::OneOf(values) => format!("one of {}", listed(values.iter().map(String::as_str))),
            Self::Time => "a timestamp".to_owned(),
            Self::Span => "a duration".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Object(_) => "an object".to_owned(),
            Self::Entity(_) => "an entity".to_owned(),
            Self::Event(_) => "the event".to_owned(),
        }
    }

    /// The type of what a field accepts.
    pub(crate) fn of(shape: &Shape) -> Self {
        match shape {
            Shape::Any | Shape::Scalar | Shape::Amount => Self::Any,
            // What is kept of an entity that is named is its identifier.
            Shape::String { .. } | Shape::Uuid | Shape::Entity(_) => Self::Text,
            Shape::Integer(_) => Self::Int,
            Shape::Number(_) => Self::Number,
            Shape::Boolean => Self::Bool,
            Shape::Timestamp => Self::Time,
            Shape::Enum(values) => Self::OneOf(values.iter().cloned().collect()),
            Shape::Array { of, .. } => Self::List(Box::new(Self::of(of))),
            Shape::Map { of, .. } => Self::Map(Box::new(Self::of(of))),
            Shape::Object(members) => Self::Object(Arc::new(fields(members.fields.iter()))),
        }
    }

    /// What a value is that may be of either type.
    pub(crate) fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Null, b) => b,
            (a, Self::Null) => a,
            (Self::Int | Self::Number, Self::Int | Self::Number) => Self::Number,
            (Self::OneOf(a), Self::OneOf(b)) => {
                let more = b.iter().filter(|value| !a.contains(value));
                Self::OneOf(a.iter().chain(more).cloned().collect())
            }
            (Self::Text | Self::OneOf(_), Self::Text | Self::OneOf(_)) => Self::Text,
            (Self::List(a), Self::List(b)) => Self::List(Box::new(a.join(*b))),
            (Self::Map(a), Self::Map(b)) => Self::Map(Box::new(a.join(*b))),
            (Self::Object(a), Self::Object(b)) => Self::Object(Arc::new(joined(&a, &b))),
            (Self::Entity(a), Self::Entity(b)) => Self::Entity(Arc::new(Entity {
                fields: joined(&a.fields, &b.fields),
                status: match (&a.status, &b.status) {
                    (Some(a), Some(b)) => Some(a.clone().join(b.clone())),
                    (one, other) => one.as_ref().or(other.as_ref()).cloned(),
                },
            })),
            _ => Self::Any,
        }
    }

    /// Whether values of the two can be equal at all.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (Self::OneOf(a), Self::OneOf(b)) => a.iter().any(|value| b.contains(value)),
            (Self::List(a), Self::List(b)) => a.meets(b),
            _ => self.family() == other.family(),
        }
    }

    /// Types whose values can be put in an order with each other.
    pub(crate) fn family(&self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Null => 1,
            Self::Bool => 2,
            Self::Int | Self::Number => 3,
            Self::Text | Self::OneOf(_) => 4,
            Self::Time => 5,
            Self::Span => 6,
            Self::List(_) => 7,
            Self::Map(_) | Self::Object(_) => 8,
            Self::Entity(_) => 9,
            Self::Event(_) => 10,
        }
    }
}

/// The members of both; one that both have is of either type.
pub(crate) fn joined(a: &Fields, b: &Fields) -> Fields {
    let mut all = a.clone();
    for (name, kind) in b {
        match all.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = known.clone().join(kind.clone()),
            None => all.push((name.clone(), kind.clone())),
        }
    }
    all
}

fn fields<'f>(fields: impl Iterator<Item = &'f Field>) -> Fields {
    fields
        .map(|field| (field.name.clone(), Type::of(&field.shape)))
        .collect()
}

/// As it is sent, an entity that is named may be an object.
fn sent<'f>(sent: impl Iterator<Item = &'f Field>) -> Fields {
    fn kind(shape: &Shape) -> Type {
        match shape {
            Shape::Entity(_) => Type::Any,
            Shape::Array { of, .. } => Type::List(Box::new(kind(of))),
            shape => Type::of(shape),
        }
    }
    sent.map(|field| (field.name.clone(), kind(&field.shape)))
        .collect()
}

/// An entity of a kind.
pub(crate) fn entity(kind: &Kind) -> Type {
    let status = kind.lifecycle.as_ref().map(|lifecycle| {
        let states = lifecycle.states.iter().map(|state| state.name.clone());
        Type::OneOf(states.collect())
    });
    Type::Entity(Arc::new(Entity {
        fields: fields(kind.fields.iter()),
        status,
    }))
}

/// The type of what the ledger itself knows of every entity.
pub(crate) fn of_entity(what: OfEntity) -> Type {
    match what {
        OfEntity::Id | OfEntity::Kind | OfEntity::Status => Type::Text,
        OfEntity::Exists => Type::Bool,
        OfEntity::Since
        | OfEntity::SinceRecorded
        | OfEntity::Created
        | OfEntity::CreatedRecorded
        | OfEntity::Changed
        | OfEntity::ChangedRecorded => Type::Time,
        OfEntity::SinceSeq | OfEntity::CreatedSeq | OfEntity::Seq => Type::Int,
    }
}

/// One of these events. Without any, it is an event of which only the header is known.
pub(crate) fn event<'k>(events: impl Iterator<Item = (&'k Kind, &'k EventDef)>) -> Type {
    let mut data = Fields::new();
    let (mut kinds, mut verbs) = (Vec::<String>::new(), Vec::<String>::new());
    for (kind, event) in events {
        data = joined(&data, &sent(event.members.fields.iter()));
        kinds.push(kind.name.to_string());
        verbs.push(event.verb.to_string());
    }
    let word = |mut words: Vec<String>| {
        words.sort();
        words.dedup();
        if words.is_empty() {
            Type::Text
        } else {
            Type::OneOf(words.into())
        }
    };
    let members = [
        ("data", Type::Object(Arc::new(data))),
        ("kind", word(kinds)),
        ("verb", word(verbs)),
        ("id", Type::Text),
        ("subject", Type::Text),
        ("source", Type::Text),
        ("actor", Type::Text),
        ("publisher", Type::Text),
        ("context", Type::Map(Box::new(Type::Text))),
        ("time", Type::Time),
        ("recorded", Type::Time),
        ("seq", Type::Int),
    ];
    Type::Event(Arc::new(
        members.map(|(name, kind)| (name.to_owned(), kind)).to_vec(),
    ))
}

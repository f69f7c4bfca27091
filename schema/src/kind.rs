//! A kind of entity: what its events carry, which statuses it goes through, how long it is kept.
//!
//! A `Kind` exists only as its file was checked by the loader, so every name in it is known: an event's
//! status is a state, a required field is a field, an edge leads from a state to a state.

use std::fmt;

use regex::Regex;
use serde_json::Value;

use crate::identity::Identity;
use crate::indexed::Path;
use crate::name::{KindName, Name};
use crate::retention::Retention;
use crate::rule::{Incident, Rule};

/// A kind of entity, as its file declares it.
#[derive(Debug, Clone)]
pub struct Kind {
    /// `<package>.<entity>`.
    pub name: KindName,
    /// What people call it.
    pub title: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// What the CloudEvents `subject` is: the entity's identifier, in a sentence.
    pub subject: String,
    /// How that identifier is made from the entity's fields, where it is.
    pub identity: Option<Identity>,
    /// The read model's name: the view is `<package>_<view>`.
    pub view: String,
    /// Whether its events are facts about something else, so that no entity of this kind has a state.
    pub stateless: bool,
    /// How long the data of its events is kept.
    pub retention: Retention,
    /// The rows of the seeds that demand it.
    pub retention_rows: Vec<String>,
    /// Whether events may carry members that the kind does not name.
    pub additional: bool,
    /// The entity's fields, in the order of the file.
    pub fields: Vec<Field>,
    /// Its events, in the order of the file.
    pub events: Vec<EventDef>,
    /// Its statuses, if it has any.
    pub lifecycle: Option<Lifecycle>,
    /// Its rules, in the order of the file.
    pub rules: Vec<Rule>,
    /// What opens and resolves incidents without a verdict, in the order of the file.
    pub incidents: Vec<Incident>,
    /// The lines on which other kinds are named.
    pub(crate) references: Vec<(KindName, usize)>,
    /// The line of `view`, to point at when another kind of the package has the same.
    pub(crate) view_line: usize,
}

/// A member of an entity or of an event.
#[derive(Debug, Clone)]
pub struct Field {
    /// The member's name in `data`.
    pub name: String,
    /// What it says, in a sentence.
    pub about: String,
    /// Which values are accepted at the door.
    pub shape: Shape,
    /// Whether its value is left out of summaries and goes first when data is deleted.
    pub sensitive: bool,
    /// The kind whose entity it names, if it names one; of an array, what each item names.
    pub reference: Option<KindName>,
    /// How that entity's identifier is made from the fields beside it, where the value alone is not it.
    pub reference_id: Option<Identity>,
    /// Another field's named group that it repeats, so that the two must agree.
    pub part: Option<Part>,
    /// The entity's field that it becomes, where an event says by another name what the entity is now.
    pub becomes: Option<String>,
    /// A value that is accepted.
    pub example: Value,
}

/// What a field repeats: a named group of what another field's pattern matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The other field.
    pub of: String,
    /// The group of its pattern.
    pub group: String,
}

/// Which values are accepted. A `null` member is an absent one (RFC 7396) and is accepted everywhere but
/// among an array's items.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Any JSON value.
    Any,
    /// A string, a number or a boolean.
    Scalar,
    /// Text; its length is in Unicode scalar values.
    String {
        /// The shortest and longest.
        size: Bounds<u64>,
        /// What the whole of it matches.
        pattern: Option<Pattern>,
    },
    /// A number written without fraction and exponent.
    Integer(Bounds<i64>),
    /// Any number.
    Number(Bounds<f64>),
    /// Any number, or a text with one, `%` after it or not.
    Amount,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339, any offset, any precision, no leap second.
    Timestamp,
    /// Eight, four, four, four and twelve hexadecimal digits.
    Uuid,
    /// One of these texts.
    Enum(Vec<String>),
    /// Items of one shape.
    Array {
        /// What an item is.
        of: Box<Shape>,
        /// How many there are.
        size: Bounds<u64>,
    },
    /// Values of one shape under names that the publisher chooses.
    Map {
        /// What a value is.
        of: Box<Shape>,
        /// How many there are.
        size: Bounds<u64>,
    },
    /// Named members.
    Object(Members),
    /// An entity: its identifier, or an object from which one of these templates makes it. What is kept of it is
    /// the identifier.
    Entity(Vec<Identity>),
}

impl Shape {
    /// The type's name in a kind file.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Scalar => "scalar",
            Self::String { .. } => "string",
            Self::Integer(_) => "integer",
            Self::Number(_) => "number",
            Self::Amount => "amount",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
            Self::Enum(_) => "enum",
            Self::Array { .. } => "array",
            Self::Map { .. } => "map",
            Self::Object(_) => "object",
            Self::Entity(_) => "entity",
        }
    }
}

/// The smallest and the largest that is accepted, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds<T> {
    /// The smallest.
    pub min: Option<T>,
    /// The largest.
    pub max: Option<T>,
}

impl<T: PartialOrd> Bounds<T> {
    /// Whether the value lies within.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers are passed by value everywhere"
    )]
    pub fn hold(&self, value: T) -> bool {
        self.min.as_ref().is_none_or(|min| *min <= value)
            && self.max.as_ref().is_none_or(|max| value <= *max)
    }
}

/// A regular expression that a whole value matches.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles it. The error says what is wrong with the expression.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        let regex = regex::RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(1 << 20)
            .build()?;
        Ok(Self {
            text: text.to_owned(),
            regex,
        })
    }

    /// The expression as the file has it, without anchors.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// Whether the expression has a group of that name.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.regex
            .capture_names()
            .flatten()
            .any(|name| name == group)
    }

    /// What the group of that name matched; `None` where the value does not match, or the group took no part.
    pub fn group<'v>(&self, group: &str, value: &'v str) -> Option<&'v str> {
        Some(self.regex.captures(value)?.name(group)?.as_str())
    }
}

/// The members of an object.
#[derive(Debug, Clone, Default)]
pub struct Members {
    /// Each of them, in the order of the file; at most 64.
    pub fields: Vec<Field>,
    /// The places in `fields` of those that must be there.
    pub required: Vec<usize>,
    /// Those that must be there when another has a value. Only events have these.
    pub required_when: Vec<Condition>,
    /// Whether others may be there as well.
    pub additional: bool,
    /// Whether one of them names an entity, or has something within that does.
    pub names_entities: bool,
}

impl Members {
    /// The member of that name and its place.
    pub fn find(&self, name: &str) -> Option<(usize, &Field)> {
        self.fields
            .iter()
            .enumerate()
            .find(|(_, field)| field.name == name)
    }

    /// Whether the member at that place must always be there.
    pub fn requires(&self, place: usize) -> bool {
        self.required.contains(&place)
    }
}

/// `field` must be there when `when` is there and, unless `is` is empty, has one of these values.
#[derive(Debug, Clone)]
pub struct Condition {
    /// The place of the field that is needed.
    pub field: usize,
    /// The place of the field that is looked at.
    pub when: usize,
    /// The values that make it needed; none means any.
    pub is: Vec<Value>,
}

/// An event of a kind.
#[derive(Debug, Clone)]
pub struct EventDef {
    /// The last name of its type.
    pub verb: Name,
    /// What happened, in a sentence.
    pub about: String,
    /// Whether an entity may begin with it.
    pub creates: bool,
    /// The status that it leads to, unless `to_field` says otherwise.
    pub to: Option<String>,
    /// The field that names the status that it leads to.
    pub to_field: Option<String>,
    /// The field that names the status that the publisher believes the entity was in.
    pub from_field: Option<String>,
    /// What it leaves in the entity beside its data.
    pub marks: Marks,
    /// Whether publishers that the settings name as operators may publish it. Package `ledger` alone has these.
    pub operators: bool,
    /// How many of `members` are the entity's fields, which the event changes; they come first. The others are
    /// the event's own: evidence that is not kept in the entity's state.
    pub carried: usize,
    /// What its `data` may hold.
    pub members: Members,
}

impl EventDef {
    /// The entity's fields that the event carries and changes, without those that only name a status. A boolean
    /// that names one says something by itself as well, and is among them.
    pub fn changes(&self) -> impl Iterator<Item = &Field> {
        let carried = self.members.fields.iter().take(self.carried);
        carried.filter(|field| self.is_kept(field))
    }

    /// The one of these fields that has a name.
    pub(crate) fn change(&self, name: &str) -> Option<&Field> {
        let (_, field) = self
            .members
            .find(name)
            .filter(|(place, _)| *place < self.carried)?;
        Some(field).filter(|field| self.is_kept(field))
    }

    fn is_kept(&self, field: &Field) -> bool {
        let name = Some(field.name.as_str());
        let status = name == self.to_field.as_deref() || name == self.from_field.as_deref();
        !status || matches!(field.shape, Shape::Boolean)
    }

    /// The event's own fields.
    pub fn evidence(&self) -> impl Iterator<Item = &Field> {
        self.members.fields.iter().skip(self.carried)
    }
}

/// What an event leaves in its entity beside its data: who acted and when, for rules that ask about it later.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// The field that becomes the actor, unless the event says it.
    pub actor_becomes: Option<String>,
    /// The list that the actor joins, once. No event says it.
    pub actor_joins: Option<String>,
    /// The field that becomes the event's own time, unless the event says it.
    pub time_becomes: Option<String>,
    /// The map in which the event's own time is kept under names. No event says it.
    pub times_become: Option<Times>,
}

/// `times_become`: a map of moments, one a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// The map.
    pub field: String,
    /// Where the names stand: the first of these places that says anything in the event's data, or else in the
    /// entity.
    pub names: Vec<Path>,
    /// Whether only names that the map does not have yet are given a moment.
    pub new: bool,
}

/// The statuses of an entity and the ways between them.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    /// Whether a way that is not an edge is a violation. Where not, the status is only kept.
    pub judged: bool,
    /// The states, in the order of the file.
    pub states: Vec<State>,
    /// The states that an entity may begin in.
    pub start: Vec<String>,
    /// The ways between them, in the order of the file.
    pub edges: Vec<Edge>,
}

/// A status.
#[derive(Debug, Clone)]
pub struct State {
    /// Its name.
    pub name: String,
    /// What it means, in a sentence.
    pub about: String,
    /// Whether nothing may happen after it.
    pub terminal: bool,
}

/// A way from one status to another.
#[derive(Debug, Clone)]
pub struct Edge {
    /// From this status
    pub from: String,
    /// to this one.
    pub to: String,
    /// What makes it happen; empty where nothing need be said.
    pub when: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one with this word.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// How bad it is when a rule is broken.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Worth a look.
        Warning = "warning",
        /// Wrong.
        Error = "error",
        /// Wrong, and somebody is to be woken.
        Critical = "critical",
    }
);
impl Kind {
    /// The event with this verb.
    pub fn event(&self, verb: &Name) -> Option<&EventDef> {
        self.events.iter().find(|event| event.verb == *verb)
    }

    /// The field at a dotted path, `[]` behind what holds items: `nodes[].node_id`. Gives the kind whose entity it
    /// names, if it names one.
    pub fn at_path(&self, path: &str) -> Option<Option<&KindName>> {
        at_path(&self.fields, path)
    }

    /// The field that the subject is the value of, where it is the value of one alone.
    pub(crate) fn subject_field(&self) -> Option<&Field> {
        let name = self.identity.as_ref()?.whole()?;
        self.fields.iter().find(|field| field.name == name)
    }

    /// The names of the sensitive fields, of the entity and of its events.
    pub fn sensitive(&self) -> impl Iterator<Item = &str> {
        let own = self.events.iter().flat_map(EventDef::evidence);
        self.fields
            .iter()
            .chain(own)
            .filter(|field| field.sensitive)
            .map(|field| field.name.as_str())
    }
}

/// The field at a dotted path among these.
#[expect(
    clippy::option_option,
    reason = "a field that is there may name nothing"
)]
pub(crate) fn at_path<'f>(fields: &'f [Field], path: &str) -> Option<Option<&'f KindName>> {
    let mut fields = fields;
    let mut parts = path.split('.').peekable();
    loop {
        let part = parts.next()?;
        let name = part.trim_end_matches("[]");
        let field = fields.iter().find(|field| field.name == name)?;
        let mut shape = &field.shape;
        for _ in 0..(part.len() - name.len()) / 2 {
            let Shape::Array { of, .. } = shape else {
                return None;
            };
            shape = of;
        }
        while let (Some(&"*"), Shape::Map { of, .. }) = (parts.peek(), shape) {
            parts.next();
            shape = of;
        }
        match (parts.peek(), shape) {
            // What holds others has no value of its own: `[]` or `*` leads on.
            (None, Shape::Array { .. } | Shape::Map { .. } | Shape::Object(_)) => return None,
            (None, _) => return Some(field.reference.as_ref()),
            (Some(_), Shape::Object(members)) => fields = &members.fields,
            (Some(_), _) => return None,
        }
    }
}

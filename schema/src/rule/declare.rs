//! A rule as its kind file declares it. What it names is checked when a catalog is compiled, since only then every
//! kind and every setting is known.

use std::fmt;

use crate::cel::ast::Expr;
use crate::kind::Severity;
use crate::name::{KindName, Name};

/// A rule of a kind.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its stable name, e.g. `environment.quota_missing`. Several rules of a kind may share one: they are parts.
    pub id: String,
    /// Tells parts of one rule apart; empty where there is one alone.
    pub part: String,
    /// The demands that it implements, by their numbers in the list of demands.
    pub rows: Vec<String>,
    /// How bad it is when it is broken.
    pub severity: Severity,
    /// What it demands, in a sentence.
    pub about: String,
    /// Why, in a sentence.
    pub why: String,
    /// What to do about it when it is broken, in a sentence.
    pub mend: String,
    /// The events that it is judged at.
    pub on: Vec<On>,
    /// The entities of this kind that it is about, where that is not the event's own.
    pub whom: Option<Whom>,
    /// When it is demanded; always, where nothing is said.
    pub when: Option<Condition>,
    /// Other entities that it looks at, in the order in which they are looked up.
    pub find: Vec<Find>,
    /// The list whose items are judged each on its own.
    pub each: Option<Each>,
    /// What is demanded.
    pub shape: Shape,
    /// The incident that opens when it is broken.
    pub incident: Option<Opening>,
    /// Whether a violation is cleared when the rule is judged again at a later event and holds.
    pub clears: bool,
    /// Rules that say the same less exactly: where this one is broken, they are not raised.
    pub instead_of: Vec<String>,
    /// The look-up whose entities excuse from the rule, if somebody was allowed to.
    pub override_by: Option<(String, Condition)>,
    /// Its line in the file.
    pub(crate) line: usize,
}

/// An event that a rule listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum On {
    /// One of the rule's own kind.
    Verb(Name),
    /// One of another kind.
    Type(KindName, Name),
    /// Every one of every kind.
    Any,
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verb(verb) => verb.fmt(f),
            Self::Type(kind, verb) => write!(f, "{kind}.{verb}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// Which entities of the rule's own kind an event is about, where that is not the event's own.
#[derive(Debug, Clone)]
pub enum Whom {
    /// At an event of another kind: those with the identifiers that it gives. An event of this kind is about its own.
    Id(Condition),
    /// At every event: those whose fields (dotted paths, `status`) have these values. An event of this kind is about its
    /// own, too.
    Where {
        /// The fields and their values.
        fields: Vec<(String, Condition)>,
        /// Only so many, the last created.
        latest: Option<u32>,
    },
}

impl Whom {
    /// Every condition of it.
    pub(crate) fn conditions(&self) -> Vec<&Condition> {
        match self {
            Self::Id(id) => vec![id],
            Self::Where { fields, .. } => fields.iter().map(|(_, one)| one).collect(),
        }
    }
}

/// An expression with its place in the file.
#[derive(Debug, Clone)]
pub struct Condition {
    /// As it was written.
    pub text: String,
    pub(crate) expr: Expr,
    /// The line that its text begins on.
    pub(crate) line: usize,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Other entities that a rule looks at.
#[derive(Debug, Clone)]
pub struct Find {
    /// What conditions call them.
    pub name: String,
    /// Their kind.
    pub kind: KindName,
    /// Which of them.
    pub by: By,
    /// Only so many, the last created.
    pub latest: Option<u32>,
    pub(crate) line: usize,
}

/// How entities are looked up.
#[derive(Debug, Clone)]
pub enum By {
    /// The one with this identifier.
    Id(Condition),
    /// Those whose fields (dotted paths, `status`) have these values.
    Where(Vec<(String, Condition)>),
    /// How many there are whose fields have these values.
    Count(Vec<(String, Condition)>),
}

/// A list whose items are judged each on its own.
#[derive(Debug, Clone)]
pub struct Each {
    /// The list.
    pub list: Condition,
    /// What tells an item's verdict from another's; its place where nothing is said.
    pub key: Option<Condition>,
}

/// What a rule demands. The set is closed: a new one is a file of Rust.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A condition holds.
    Require(Condition),
    /// No two entities of the kind have the same values in these fields.
    Unique {
        /// The fields.
        fields: Vec<String>,
        /// Which others count (`other`).
        among: Option<Condition>,
    },
    /// What a field names is there.
    Reference {
        /// The field, a dotted path; `nodes[].node_id` for each item.
        field: String,
        /// Of which kind it is; what the field says where nothing is said here.
        kind: Option<KindName>,
        /// What it has to be besides (`target`).
        is: Option<Condition>,
    },
    /// One thing comes before another, by position and by claimed time.
    Precedes(Box<Precedes>),
    /// Something happens in time.
    Deadline(Box<Deadline>),
    /// Only some may say this.
    Authority {
        /// The setting with the publishers.
        publishers: Option<Condition>,
        /// The setting with the actors.
        actors: Option<Condition>,
    },
    /// References between entities of the kind lead nowhere in a circle.
    Acyclic {
        /// The field with the references.
        field: String,
    },
}

impl Shape {
    /// The words for the shapes, as kind files have them.
    pub const WORDS: [&'static str; 7] = [
        "require",
        "unique",
        "reference",
        "precedes",
        "deadline",
        "authority",
        "acyclic",
    ];

    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Require(_) => "require",
            Self::Unique { .. } => "unique",
            Self::Reference { .. } => "reference",
            Self::Precedes(_) => "precedes",
            Self::Deadline(_) => "deadline",
            Self::Authority { .. } => "authority",
            Self::Acyclic { .. } => "acyclic",
        }
    }
}

/// One thing comes before another, by position **and** by claimed time.
#[derive(Debug, Clone)]
pub struct Precedes {
    /// The look-up with what comes before or after the event.
    pub other: String,
    /// Whether the event comes first, and what was looked up after it.
    pub event_first: bool,
    /// Which of those that were found count (`other`).
    pub counts: Option<Condition>,
    /// The claimed time of the event; the event's `time` where nothing is said.
    pub time: Option<Condition>,
    /// The claimed time of the other (`other`); when it was created where nothing is said.
    pub other_time: Option<Condition>,
    /// Nothing that counts was found before the event.
    pub missing: Option<Outcome>,
    /// In the wrong order by claimed time as well.
    pub after: Option<Outcome>,
    /// In the right order by claimed time, in the wrong one by position.
    pub backdated: Option<Outcome>,
}

/// How a rule that can be broken in several ways is broken.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The rule that is raised.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// The incident that opens.
    pub incident: Option<Opening>,
}

/// Something happens in time.
#[derive(Debug, Clone)]
pub struct Deadline {
    /// When it is due: a moment, or `null` where nothing is.
    pub due: Condition,
    /// What excuses from it when it is due.
    pub unless: Option<Condition>,
    /// Whether a verdict is raised, besides the task and the event.
    pub raise: bool,
    /// The task that is opened.
    pub task: Option<Task>,
    /// The event that the ledger publishes.
    pub emit: Option<Emit>,
}

/// A task for people.
#[derive(Debug, Clone)]
pub struct Task {
    /// What it is about: one task a class and entity while open.
    pub class: String,
    /// What is to be done, in a sentence.
    pub title: String,
}

/// An event that the ledger publishes itself.
#[derive(Debug, Clone)]
pub struct Emit {
    /// An event of the rule's kind.
    pub verb: Name,
    /// The members of its data.
    pub data: Vec<(String, Condition)>,
}

/// An incident that opens.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its class: one is open a class and entity.
    pub class: String,
    /// How bad it is.
    pub severity: Severity,
    /// How bad it is when a condition holds; the worst whose condition holds counts.
    pub severity_when: Vec<(Severity, Condition)>,
    /// When it opens; always, where nothing is said.
    pub when: Option<Condition>,
    /// The entity that it is about, where it is another than the verdict's.
    pub of: Option<(KindName, Condition)>,
}

/// An incident that a kind's events open or resolve without a verdict.
#[derive(Debug, Clone)]
pub struct Incident {
    /// The demands that it implements.
    pub rows: Vec<String>,
    /// What it means, in a sentence.
    pub about: String,
    /// Why it is one, in a sentence.
    pub why: String,
    /// What to do about it, in a sentence.
    pub mend: String,
    /// The events that open it; none where rules do.
    pub on: Vec<On>,
    /// The entities of this kind that it is about, where that is not the event's own.
    pub whom: Option<Whom>,
    /// Other entities that it looks at.
    pub find: Vec<Find>,
    /// How it opens.
    pub opening: Opening,
    /// What resolves it.
    pub resolve: Option<Resolve>,
    pub(crate) line: usize,
}

/// What resolves an incident without anybody's doing.
#[derive(Debug, Clone)]
pub struct Resolve {
    /// The events.
    pub on: Vec<On>,
    /// The entities whose incidents it resolves, where that is not the event's own.
    pub whom: Option<Whom>,
    /// When; always, where nothing is said.
    pub when: Option<Condition>,
}

//! The flat view of a kind: a row an entity, or a row an event where the kind's entities have no state.

use schema::Kind;
use serde::{Deserialize, Serialize};

use super::column::{self, Column, ColumnType};
use super::name::Names;

/// What a kind's flat view holds. It is kept in the database for each ledger, because several ledgers with
/// different catalogs may share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flat {
    /// `<package>.<entity>`.
    pub kind: String,
    /// `<package>_<read model>`, as it is wanted.
    pub name: String,
    /// What an entity is, in a sentence or two.
    pub about: String,
    /// Whether a row is an event.
    pub stateless: bool,
    /// The columns, in their order.
    pub columns: Vec<Column>,
}

/// Name, type, sentence, SQL.
pub(super) type Fixed = (&'static str, ColumnType, &'static str, &'static str);

/// What a row of every entity begins with.
const ENTITY: &[Fixed] = &[
    ("ledger", ColumnType::Text, "The ledger's name.", "e.ledger"),
    ("id", ColumnType::Text, "The entity's identifier.", "e.id"),
    (
        "status",
        ColumnType::Text,
        "Its status; null where it has none or it is not known.",
        "e.status",
    ),
    (
        "since",
        ColumnType::Timestamptz,
        "Since when it is in that status, by the word of the event that led to it.",
        "views.at_us(e.since_us)",
    ),
    (
        "created_at",
        ColumnType::Timestamptz,
        "When its first event happened, by that event's word.",
        "views.at_us(c.occurred_us)",
    ),
    (
        "updated_at",
        ColumnType::Timestamptz,
        "When its last event happened, by that event's word.",
        "views.at_us(u.occurred_us)",
    ),
    (
        "seq",
        ColumnType::Numeric,
        "The position of its last event.",
        "e.seq::numeric",
    ),
    (
        "created_seq",
        ColumnType::Numeric,
        "The position of its first event.",
        "e.created_seq::numeric",
    ),
    (
        "redacted",
        ColumnType::Boolean,
        "Whether data of its events was deleted, so that fields may be missing.",
        "e.redacted_seq IS NOT NULL",
    ),
];

/// What a row of every event begins with.
const EVENT: &[Fixed] = &[
    ("ledger", ColumnType::Text, "The ledger's name.", "e.ledger"),
    (
        "seq",
        ColumnType::Numeric,
        "The event's position.",
        "e.seq::numeric",
    ),
    (
        "type",
        ColumnType::Text,
        "The event's type.",
        "e.event_type",
    ),
    (
        "id",
        ColumnType::Text,
        "What it is about; may be empty.",
        "e.subject",
    ),
    (
        "occurred_at",
        ColumnType::Timestamptz,
        "When it happened, by its publisher's word.",
        "views.at_us(e.occurred_us)",
    ),
    (
        "recorded_at",
        ColumnType::Timestamptz,
        "When it was recorded.",
        "views.at_us(e.recorded_us)",
    ),
    (
        "actor",
        ColumnType::Text,
        "Who acted; may be empty.",
        "e.actor",
    ),
    (
        "publisher",
        ColumnType::Text,
        "Who published it.",
        "e.publisher",
    ),
    (
        "redacted",
        ColumnType::Boolean,
        "Whether its data was deleted, so that the fields are missing.",
        "e.data IS NULL",
    ),
];

/// What every row begins with.
pub(super) fn fixed(stateless: bool) -> &'static [Fixed] {
    if stateless { EVENT } else { ENTITY }
}

/// The flat view of a kind. The same kind always gives the same columns in the same order.
pub fn of_kind(kind: &Kind) -> Flat {
    let fixed = fixed(kind.stateless);
    let taken: Vec<&str> = fixed.iter().map(|(name, ..)| *name).collect();
    let mut columns: Vec<Column> = fixed
        .iter()
        .map(|(name, column_type, about, _)| Column::fixed(name, *column_type, about))
        .collect();
    let mut names = Names::with(taken.iter().copied());
    let mut done: Vec<&str> = Vec::new();
    if kind.stateless {
        // What is sensitive in them is left to `ledger log`: there is no state that could go without it.
        let fields = kind.events.iter().flat_map(|event| &event.members.fields);
        for field in fields.filter(|field| !field.sensitive) {
            if !done.contains(&field.name.as_str()) {
                done.push(&field.name);
                column::of_field(field, &mut names, &taken, &mut columns);
            }
        }
    } else {
        // A field that only names a status never stands among the attributes.
        for field in &kind.fields {
            let kept = |event: &schema::kind::EventDef| {
                event.changes().any(|changed| changed.name == field.name)
            };
            if kind.events.iter().any(kept) {
                column::of_field(field, &mut names, &taken, &mut columns);
            }
        }
    }
    Flat {
        kind: kind.name.to_string(),
        name: format!("{}_{}", kind.name.package, kind.view),
        about: kind.about.clone(),
        stateless: kind.stateless,
        columns,
    }
}

impl Flat {
    /// Takes in the columns of the same kind in another ledger's catalog. A column that both have with different
    /// types is a text.
    pub(super) fn merge(&mut self, other: &Self) {
        for column in &other.columns {
            match self.columns.iter_mut().find(|own| own.name == column.name) {
                None => self.columns.push(column.clone()),
                Some(own) => {
                    if own.column_type != column.column_type && own.value.is_some() {
                        own.column_type = ColumnType::Text;
                    }
                    if let (Some(own), Some(value)) = (&mut own.value, &column.value) {
                        own.sensitive |= value.sensitive;
                    }
                }
            }
        }
    }
}

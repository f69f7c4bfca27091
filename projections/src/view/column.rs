//! The columns that a field becomes.

use std::fmt;

use schema::kind::{Field, Shape};
use serde::{Deserialize, Serialize};

use super::name::{Names, literal, quoted};

/// An object becomes a column a member when it has no more of them than this; a larger one is a text.
const FEW_MEMBERS: usize = 16;
/// How many objects deep members become columns.
const DEEPEST: usize = 2;

/// The type of a column: plain ones that every tool reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Text.
    Text,
    /// A number, exact.
    Numeric,
    /// True or false.
    Boolean,
    /// A time with its zone.
    Timestamptz,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Timestamptz => "timestamptz",
        })
    }
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name; unique in its view.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// What it says, in a sentence.
    pub about: String,
    /// Where a field's value is found; `None` for what every view has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Place>,
}

impl Column {
    /// A column of no field.
    pub(super) fn fixed(name: &str, column_type: ColumnType, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            column_type,
            about: about.to_owned(),
            value: None,
        }
    }
}

/// Where the value of a column is found in an entity's attributes or in an event's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The member's name, and that of the member inside it, and so on.
    pub(super) path: Vec<String>,
    /// Whether it is how many items or entries there are.
    pub(super) count: bool,
    /// Whether it is not shown once data was deleted.
    pub(super) sensitive: bool,
}

/// The columns of a field, in the order of its members. A name that is taken is prefixed with `data_`.
pub(super) fn of_field(
    field: &Field,
    names: &mut Names,
    taken: &[&str],
    columns: &mut Vec<Column>,
) {
    let top = if taken.contains(&field.name.as_str()) {
        format!("data_{}", field.name)
    } else {
        field.name.clone()
    };
    let path = [field.name.clone()];
    add(field, &top, &path, field.sensitive, names, columns);
}

fn add(
    field: &Field,
    wanted: &str,
    path: &[String],
    sensitive: bool,
    names: &mut Names,
    columns: &mut Vec<Column>,
) {
    let mut push = |suffix: &str, column_type: ColumnType, about: String, count: bool| {
        columns.push(Column {
            name: names.take(&format!("{wanted}{suffix}"), &path.join(".")),
            column_type,
            about,
            value: Some(Place {
                path: path.to_vec(),
                count,
                sensitive,
            }),
        });
    };
    let about = field.about.clone();
    match &field.shape {
        Shape::Integer(_) | Shape::Number(_) => push("", ColumnType::Numeric, about, false),
        Shape::Boolean => push("", ColumnType::Boolean, about, false),
        Shape::Timestamp => push("", ColumnType::Timestamptz, about, false),
        Shape::Array { .. } | Shape::Map { .. } => {
            push("", ColumnType::Text, format!("{about} As JSON."), false);
            push(
                "_count",
                ColumnType::Numeric,
                format!("How many: {about}"),
                true,
            );
        }
        Shape::Object(members) if members.fields.len() <= FEW_MEMBERS && path.len() < DEEPEST => {
            for member in &members.fields {
                let mut path = path.to_vec();
                path.push(member.name.clone());
                let name = format!("{wanted}_{}", member.name);
                let sensitive = sensitive || member.sensitive;
                add(member, &name, &path, sensitive, names, columns);
            }
        }
        Shape::Object(_) => push("", ColumnType::Text, format!("{about} As JSON."), false),
        Shape::Any
        | Shape::Scalar
        | Shape::Amount
        | Shape::String { .. }
        | Shape::Uuid
        | Shape::Enum(_)
        | Shape::Entity(_) => {
            push("", ColumnType::Text, about, false);
        }
    }
}

impl Place {
    /// The value as SQL. It is null where the value does not fit the type, and it never fails.
    pub(super) fn sql(&self, column_type: ColumnType) -> String {
        let mut inner = self.path.iter();
        let mut value = inner
            .next()
            .map(|name| format!("a.{}", quoted(name)))
            .unwrap_or_default();
        for member in inner {
            value = format!("({value} -> {})", literal(member));
        }
        if self.count {
            return format!(
                "CASE json_typeof({value}) WHEN 'array' THEN json_array_length({value})::numeric \
                 WHEN 'object' THEN (SELECT count(*) FROM json_object_keys({value}))::numeric END"
            );
        }
        let text = format!("{value} #>> '{{}}'");
        match column_type {
            ColumnType::Text => text,
            ColumnType::Numeric => {
                format!("CASE json_typeof({value}) WHEN 'number' THEN ({text})::numeric END")
            }
            ColumnType::Boolean => {
                format!("CASE json_typeof({value}) WHEN 'boolean' THEN ({text})::boolean END")
            }
            ColumnType::Timestamptz => {
                format!("CASE json_typeof({value}) WHEN 'string' THEN views.as_time({text}) END")
            }
        }
    }
}

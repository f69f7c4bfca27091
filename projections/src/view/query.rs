//! The SQL of a flat view. No value makes it fail: what does not fit its column is null.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::column::Column;
use super::flat::{Flat, fixed};
use super::name::{literal, quoted};

/// A row an entity. Where the times are not asked for, PostgreSQL leaves the joins out: they are on the whole key.
const ENTITIES: &str = "  FROM views.live_entity e
  LEFT JOIN views.history c ON c.projection = e.projection AND c.source = e.created_seq AND c.seq = e.created_seq
  LEFT JOIN views.history u ON u.projection = e.projection AND u.source = e.created_seq AND u.seq = e.seq";

/// A row an event.
const EVENTS: &str = "  FROM views.live_event e";

impl Flat {
    /// The view's query. The members of attributes and data are taken apart once a row.
    pub(super) fn sql(&self) -> String {
        let select: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} AS {}", self.value(column), quoted(&column.name)))
            .collect();
        let (from, data) = if self.stateless {
            (EVENTS, "e.data")
        } else {
            (ENTITIES, "e.attributes")
        };
        let mut sql = format!("SELECT {}\n{from}", select.join(",\n       "));
        let places = self.columns.iter().filter_map(|one| one.value.as_ref());
        let members: BTreeSet<&str> = places
            .filter_map(|place| place.path.first().map(String::as_str))
            .collect();
        if !members.is_empty() {
            let record: Vec<String> = members
                .iter()
                .map(|name| format!("{} json", quoted(name)))
                .collect();
            let _ = write!(
                sql,
                "\n  LEFT JOIN LATERAL json_to_record({data}) AS a({}) ON true",
                record.join(", ")
            );
        }
        let _ = write!(sql, "\n WHERE {}", self.filter());
        sql
    }

    fn value(&self, column: &Column) -> String {
        let Some(place) = &column.value else {
            let own = fixed(self.stateless)
                .iter()
                .find(|(name, ..)| *name == column.name);
            return own.map_or_else(|| "NULL".to_owned(), |(.., sql)| (*sql).to_owned());
        };
        let value = place.sql(column.column_type);
        if place.sensitive && !self.stateless {
            format!("CASE WHEN e.redacted_seq IS NULL THEN {value} END")
        } else {
            value
        }
    }

    fn filter(&self) -> String {
        if self.stateless {
            // The names of types are ASCII, and `/` is the character after the dot.
            format!(
                "e.event_type >= {} AND e.event_type < {}",
                literal(&format!("{}.", self.kind)),
                literal(&format!("{}/", self.kind))
            )
        } else {
            format!("e.kind = {}", literal(&self.kind))
        }
    }
}

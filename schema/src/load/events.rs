//! `[events.…]`: what an event carries and the status that it leads to.

use super::fields::{self, References};
use super::links;
use super::marks;
use super::table::{Table, Text, nearest};
use crate::diagnostic::listed;
use crate::kind::{Condition, EventDef, Field, Lifecycle, Members, Shape};
use crate::name::Name;
use crate::named;

/// Every event of the file.
pub(super) fn events(
    top: &Table<'_>,
    entity: &[Field],
    lifecycle: Option<&Lifecycle>,
    ledger: bool,
    references: &mut References,
) -> Vec<EventDef> {
    let Some(table) = top.table("events") else {
        let mend = "declare at least one, e.g. `[events.created]`";
        top.source.report(0, "the kind has no events", mend);
        return Vec::new();
    };
    let reader = Reader {
        entity,
        lifecycle,
        additional: top.flag("additional").unwrap_or(true),
        ledger,
    };
    table
        .named_tables()
        .into_iter()
        .filter_map(|(verb, table)| reader.event(verb, &table, references))
        .collect()
}

struct Reader<'r> {
    entity: &'r [Field],
    lifecycle: Option<&'r Lifecycle>,
    additional: bool,
    ledger: bool,
}

impl Reader<'_> {
    fn event(
        &self,
        verb: Text<'_>,
        table: &Table<'_>,
        references: &mut References,
    ) -> Option<EventDef> {
        let name = Name::new(verb.value);
        if let Err(error) = &name {
            let mend = "write what happened, e.g. `[events.status_changed]`";
            table.source.report(verb.at, error.to_string(), mend);
        }
        let about = table.need_text("about", "say in a sentence what happened");
        let mut all = self.carried(table);
        let carried = all.len();
        self.own(table, &mut all, references);
        if all.len() > 64 {
            let message = format!("{} carries {} fields", table.name, all.len());
            table
                .source
                .report(table.at, message, "an event carries at most 64: group some");
        }
        let required = fields::required(table, &all);
        let required_when = conditions(table, &all);
        let creates = table.flag("creates").unwrap_or(false);
        let to = table.text("to");
        let to_field = table.text("to_field");
        let from_field = table.text("from_field");
        self.status(table, to);
        self.status_field(table, "to_field", to_field, &all);
        self.status_field(table, "from_field", from_field, &all);
        let marks = marks::marks(table, self.entity, &all, carried);
        let operators = table.flag("operators").unwrap_or(false);
        if let (true, Some(at), false) = (operators, table.place("operators"), self.ledger) {
            let message = "`operators` is for the ledger's own events";
            table.source.report(at, message, "remove it");
        }
        table.finish();
        let owned = |text: Option<Text<'_>>| text.map(|text| text.value.to_owned());
        Some(EventDef {
            verb: name.ok()?,
            about: about?.value.to_owned(),
            creates,
            to: owned(to),
            to_field: owned(to_field),
            from_field: owned(from_field),
            marks,
            operators,
            carried,
            members: Members {
                names_entities: named::any(&all),
                fields: all,
                required,
                required_when,
                additional: self.additional,
            },
        })
    }

    /// The fields that the event has beside those that it carries.
    fn own(&self, table: &Table<'_>, all: &mut Vec<Field>, references: &mut References) {
        let Some(own_fields) = table.table("fields") else {
            return;
        };
        let carried = all.len();
        for own in fields::fields(&own_fields, references) {
            if self.entity.iter().any(|field| field.name == own.name) {
                let message = format!(
                    "{} declares the entity's field `{}` again",
                    table.name, own.name
                );
                let mend = "name it in `carries` if the event changes it, else rename it";
                table.source.report(table.at, message, mend);
            }
            links::becomes(&own_fields, &own, self.entity);
            all.push(own);
        }
        links::parts(&own_fields, all, carried);
    }

    /// `carries = "all"`, or the names of the entity's fields that the event changes.
    fn carried(&self, table: &Table<'_>) -> Vec<Field> {
        if !table.has("carries") {
            return Vec::new();
        }
        if table.is_text("carries") {
            if let Some(text) = table.text("carries")
                && text.value != "all"
            {
                let message = format!("`carries = \"{}\"` in {}", text.value, table.name);
                table
                    .source
                    .report(text.at, message, "write `\"all\"`, or an array of fields");
            }
            return self.entity.to_vec();
        }
        let mut places: Vec<usize> = table
            .texts("carries")
            .into_iter()
            .filter_map(|name| fields::place(table, self.entity, name, "carries"))
            .collect();
        places.sort_unstable();
        places
            .iter()
            .filter_map(|place| self.entity.get(*place))
            .cloned()
            .collect()
    }

    /// `to = "<state>"`.
    fn status(&self, table: &Table<'_>, to: Option<Text<'_>>) {
        let Some(to) = to else { return };
        let states = self.states(table, to);
        if !states.is_empty() && !states.contains(&to.value) {
            let mend = match nearest(to.value, &states) {
                Some(near) => format!("write `{near}`"),
                None => format!(
                    "declare it in [lifecycle.states], or write one of {}",
                    listed(states)
                ),
            };
            let message = format!("{} leads to the unknown status `{}`", table.name, to.value);
            table.source.report(to.at, message, mend);
        }
    }

    /// `to_field` and `from_field`: an enum among the event's fields, whose values are states, or a boolean where
    /// the states are `true` and `false`.
    fn status_field(&self, table: &Table<'_>, key: &str, name: Option<Text<'_>>, all: &[Field]) {
        let Some(name) = name else { return };
        let states = self.states(table, name);
        let Some(place) = fields::place(table, all, name, key) else {
            return;
        };
        let Some(field) = all.get(place) else { return };
        let flags = ["true".to_owned(), "false".to_owned()];
        let values: &[String] = match &field.shape {
            Shape::Enum(values) => values,
            Shape::Boolean => &flags,
            _ => &[],
        };
        if values.is_empty() && !matches!(field.shape, Shape::Enum(_)) {
            let message = format!(
                "`{key}` of {} names `{}`, which is no enum",
                table.name, name.value
            );
            table
                .source
                .report(name.at, message, "make the field an enum of states");
            return;
        }
        let unknown = values
            .iter()
            .find(|value| !states.contains(&value.as_str()));
        if let (Some(unknown), false) = (unknown, states.is_empty()) {
            let message = format!(
                "{} leads to the unknown status `{unknown}` by its field `{}`",
                table.name, name.value
            );
            let mend = format!("let the field's values be among {}", listed(states));
            table.source.report(name.at, message, mend);
        }
    }

    fn states(&self, table: &Table<'_>, named: Text<'_>) -> Vec<&str> {
        let Some(lifecycle) = self.lifecycle else {
            let message = format!(
                "{} speaks of a status, and the kind has no [lifecycle]",
                table.name
            );
            table
                .source
                .report(named.at, message, "declare [lifecycle], or remove it");
            return Vec::new();
        };
        lifecycle
            .states
            .iter()
            .map(|state| state.name.as_str())
            .collect()
    }
}

/// `required_when = [{ field = "…", when = "…", is = "…" }]`.
fn conditions(table: &Table<'_>, all: &[Field]) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for one in table.tables("required_when") {
        let field = one.need_text("field", "name the field that must be there");
        let when = one.need_text("when", "name the field that is looked at");
        let is = one.json("is");
        one.finish();
        let field = field.and_then(|name| fields::place(&one, all, name, "field"));
        let when = when.and_then(|name| fields::place(&one, all, name, "when"));
        let (Some(field), Some(when)) = (field, when) else {
            continue;
        };
        let values = match is {
            None => Vec::new(),
            Some((serde_json::Value::Array(values), _)) => values,
            Some((value, _)) => vec![value],
        };
        let place = one.place("is").unwrap_or(one.at);
        let looked_at = all.get(when).map(|field| &field.shape);
        for value in &values {
            if looked_at.is_some_and(|shape| crate::check::value(shape, value).is_err()) {
                let message = format!("{value} in {} is nothing that the field can be", one.name);
                table
                    .source
                    .report(place, message, "write a value that the field accepts");
            }
        }
        conditions.push(Condition {
            field,
            when,
            is: values,
        });
    }
    conditions
}

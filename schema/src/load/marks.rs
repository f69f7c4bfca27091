//! `actor_becomes`, `actor_joins`, `time_becomes`: what an event leaves in its entity beside its data.

use super::fields::place;
use super::table::{Table, Text};
use crate::describe::type_text;
use crate::kind::{Field, Marks, Shape};

/// Reads the three keys of an event. `carried` are the entity's fields that it carries.
pub(super) fn marks(table: &Table<'_>, entity: &[Field], carried: &[Field]) -> Marks {
    let actor_becomes = table.text("actor_becomes");
    let actor_joins = table.text("actor_joins");
    let time_becomes = table.text("time_becomes");
    let text = |shape: &Shape| matches!(shape, Shape::String { .. });
    let texts = |shape: &Shape| matches!(shape, Shape::Array { of, .. } if text(of));
    let time = |shape: &Shape| matches!(shape, Shape::Timestamp);
    let read = |key: &str, name: Option<Text<'_>>, fits: &dyn Fn(&Shape) -> bool, wanted: &str| {
        let name = name?;
        let field = place(table, entity, name, key).and_then(|place| entity.get(place))?;
        if !fits(&field.shape) {
            let message = format!(
                "`{key}` of {} names `{}`, which is {}",
                table.name,
                name.value,
                type_text(&field.shape)
            );
            table
                .source
                .report(name.at, message, format!("name {wanted}"));
        }
        Some(field.name.clone())
    };
    if let Some(name) = actor_joins.filter(|name| carried.iter().any(|one| one.name == name.value))
    {
        let message = format!("{} carries `{}`, which actors join", table.name, name.value);
        let mend = "take it out of `carries`: whoever publishes could say who acted";
        table.source.report(name.at, message, mend);
    }
    Marks {
        actor_becomes: read("actor_becomes", actor_becomes, &text, "a string"),
        actor_joins: read("actor_joins", actor_joins, &texts, "an array of strings"),
        time_becomes: read("time_becomes", time_becomes, &time, "a timestamp"),
    }
}

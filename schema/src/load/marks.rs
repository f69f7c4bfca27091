//! `actor_becomes`, `actor_joins`, `time_becomes`, `times_become`: what an event leaves in its entity beside its data.

use super::fields::place;
use super::table::{Table, Text};
use crate::describe::type_text;
use crate::indexed::Path;
use crate::kind::{self, Field, Marks, Shape, Times};

/// Reads these keys of an event. `all` are its fields; the first `carried` of them are the entity's.
pub(super) fn marks(table: &Table<'_>, entity: &[Field], all: &[Field], carried: usize) -> Marks {
    let times_become = times(table, entity, all, carried);
    let carried = all.get(..carried).unwrap_or_default();
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
        times_become,
    }
}

/// `times_become = { field = "item_rotations", names = ["rotated_items", "items[].name"] }`.
fn times(table: &Table<'_>, entity: &[Field], all: &[Field], carried: usize) -> Option<Times> {
    let inner = table.table("times_become")?;
    let name = inner.need_text("field", "name the map of timestamps");
    let texts = inner.texts("names");
    let new = inner.flag("new").unwrap_or(false);
    inner.finish();
    let name = name?;
    let field = place(&inner, entity, name, "field").and_then(|place| entity.get(place))?;
    let fits = matches!(&field.shape, Shape::Map { of, .. } if matches!(**of, Shape::Timestamp));
    let said = all.iter().take(carried).any(|one| one.name == field.name);
    if !fits || said {
        let what = if said {
            "which the event carries".to_owned()
        } else {
            format!("which is {}", type_text(&field.shape))
        };
        let message = format!("{} names `{}`, {what}", inner.name, field.name);
        let mend = "name a map of timestamps that no event carries";
        table.source.report(name.at, message, mend);
    }
    if texts.is_empty() {
        let message = format!("{} does not say where the names stand", inner.name);
        let mend = "write `names = [\"<field>[].<member>\"]`";
        table.source.report(inner.at, message, mend);
    }
    let mut names = Vec::new();
    for text in texts {
        // The items of a list of texts are meant where the list is named.
        let path = format!("{}[]", text.value);
        let known = |path: &str| {
            kind::at_path(all, path).is_some() || kind::at_path(entity, path).is_some()
        };
        let path = if known(&path) {
            path
        } else {
            text.value.to_owned()
        };
        if let Some(path) = Path::parse(&path).filter(|_| known(&path)) {
            names.push(path);
        } else {
            let message = format!("{} names the unknown field `{}`", inner.name, text.value);
            let mend = "name a field of the event or of the entity, `[]` behind a list";
            table.source.report(text.at, message, mend);
        }
    }
    Some(Times {
        field: field.name.clone(),
        names,
        new,
    })
}

//! What one field says of another: `part`, `becomes`; and how an object makes an identifier: `by`.

use super::fields::place;
use super::table::{Table, Text};
use crate::identity::Identity;
use crate::kind::{Field, Part, Shape};

/// `part = "semver.major"`: the field repeats a named group of another field's pattern.
pub(super) fn part(table: &Table<'_>) -> Option<Part> {
    let text = table.text("part")?;
    let Some((of, group)) = text.value.split_once('.') else {
        let message = format!("`part = \"{}\"` of {}", text.value, table.name);
        let mend =
            "write the other field and the group of its pattern, e.g. `part = \"semver.major\"`";
        table.source.report(text.at, message, mend);
        return None;
    };
    Some(Part {
        of: of.to_owned(),
        group: group.to_owned(),
    })
}

/// `reference_id = "<environment>/<region>"`: how the fields make the identifier of the entity that one names.
pub(super) fn reference_id(table: &Table<'_>) -> Option<Identity> {
    let text = table.text("reference_id")?;
    if !table.has("reference") {
        let message = format!("{} has a `reference_id` and no `reference`", table.name);
        let mend = "name the kind, e.g. `reference = \"release.region\"`";
        table.source.report(text.at, message, mend);
    }
    template(table, &text)
}

/// `by = ["<full_version>", "<path>/<semver>"]`: the ways in which an object makes the entity's identifier.
pub(super) fn templates(table: &Table<'_>) -> Vec<Identity> {
    let texts = table.texts("by");
    if texts.is_empty() {
        let message = format!("{} is an entity without `by`", table.name);
        let mend = "say how an object makes its identifier, e.g. `by = [\"<name>\"]`";
        table.source.report(table.at, message, mend);
    }
    texts
        .iter()
        .filter_map(|text| template(table, text))
        .collect()
}

fn template(table: &Table<'_>, text: &Text<'_>) -> Option<Identity> {
    let identity = Identity::parse(text.value);
    if identity.is_none() {
        let message = format!("`{}` is no template of an identifier", text.value);
        let mend = "write members in angle brackets, e.g. `\"<environment>/<name>\"`";
        table.source.report(text.at, message, mend);
    }
    identity
}

/// The entity's fields: their parts are there, and none of them becomes another.
pub(super) fn of_entity(table: &Table<'_>, fields: &[Field]) {
    for field in fields {
        if let Some(part) = &field.part {
            agree(table, fields, field, part);
        }
        for name in field.reference_id.iter().flat_map(Identity::fields) {
            let at = at(table, field, "reference_id");
            place(table, fields, Text { value: name, at }, "reference_id");
        }
        if field.becomes.is_some() {
            let message = format!("`becomes` of the entity's field `{}`", field.name);
            let mend = "an event's own field becomes the entity's: remove it here";
            table
                .source
                .report(at(table, field, "becomes"), message, mend);
        }
    }
}

/// The event's own fields, behind the first `carried`: their parts are there. Those of the entity's fields were
/// looked at with the entity.
pub(super) fn parts(table: &Table<'_>, all: &[Field], carried: usize) {
    for field in all.iter().skip(carried) {
        if let Some(part) = &field.part {
            agree(table, all, field, part);
        }
    }
}

fn agree(table: &Table<'_>, fields: &[Field], field: &Field, part: &Part) {
    let at = at(table, field, "part");
    let named = Text {
        value: &part.of,
        at,
    };
    let Some(other) = place(table, fields, named, "part").and_then(|place| fields.get(place))
    else {
        return;
    };
    let group = match &other.shape {
        Shape::String {
            pattern: Some(pattern),
            ..
        } => pattern.has_group(&part.group),
        _ => false,
    };
    if !group {
        let message = format!("the pattern of `{}` has no group `{}`", part.of, part.group);
        let mend = format!("name it there, e.g. `(?<{}>[0-9]+)`", part.group);
        table.source.report(at, message, mend);
    }
    if !matches!(
        field.shape,
        Shape::String { .. } | Shape::Integer(_) | Shape::Enum(_)
    ) {
        let message = format!("`{}` is part of `{}` and no text", field.name, part.of);
        let mend = "make it a string, an integer or an enum";
        table.source.report(at, message, mend);
    }
}

/// `becomes = "commit_sha"`: a field of the entity, of the same type.
pub(super) fn becomes(table: &Table<'_>, own: &Field, entity: &[Field]) {
    let Some(name) = &own.becomes else { return };
    let at = at(table, own, "becomes");
    let named = Text { value: name, at };
    let Some(field) = place(table, entity, named, "becomes").and_then(|place| entity.get(place))
    else {
        return;
    };
    if field.shape.type_name() != own.shape.type_name() {
        let message = format!(
            "`{}` of {} is {} and becomes `{name}`, which is {}",
            own.name,
            table.name,
            own.shape.type_name(),
            field.shape.type_name()
        );
        table
            .source
            .report(at, message, "give the two the same type");
    }
}

/// Where a key of a field stands, in the table of all the fields.
fn at(table: &Table<'_>, field: &Field, key: &str) -> usize {
    let tables = table.named_tables();
    let found = tables.iter().find(|(name, _)| name.value == field.name);
    found
        .and_then(|(_, field)| field.place(key))
        .unwrap_or(table.at)
}

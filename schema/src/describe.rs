//! A kind as Markdown: for `ledger catalog show` and for the documentation.

use std::fmt::{Display, Write as _};

use crate::draw;
use crate::kind::{Bounds, EventDef, Field, Kind, Members, Shape};
use crate::retention::{Retention, Term};

/// Describes a kind: what it is, its fields, events with an example each that is accepted, lifecycle, rules.
pub fn kind(kind: &Kind) -> String {
    let mut out = format!("# {}: `{}`\n\n{}\n\n", kind.title, kind.name, kind.about);
    let _ = head(&mut out, kind);
    if !kind.fields.is_empty() {
        out.push_str("\n## Fields\n\n| field | type | what it says |\n|---|---|---|\n");
        for field in &kind.fields {
            rows(&mut out, field, "", None);
        }
    }
    if kind.lifecycle.is_some() {
        let _ = write!(
            out,
            "\n## Lifecycle\n\n```text\n{}```\n",
            draw::lifecycle(kind)
        );
    }
    out.push_str("\n## Events\n");
    for event in &kind.events {
        let _ = self::event(&mut out, kind, event);
    }
    if !kind.rules.is_empty() || !kind.incidents.is_empty() {
        let _ = rules(&mut out, kind);
    }
    out
}

/// What the kind's rules demand, why, and what to do about it.
fn rules(out: &mut String, kind: &Kind) -> std::fmt::Result {
    out.push_str("\n## Rules\n");
    for rule in &kind.rules {
        let opens = rule
            .incident
            .as_ref()
            .map(|one| format!(", opens `{}`", one.class));
        let rows = rule.rows.join(", ");
        let rows = if rows.is_empty() {
            rows
        } else {
            format!(" ({rows})")
        };
        writeln!(
            out,
            "\n- **`{}`** {}{}{rows}: {} {} *{}*",
            rule.id,
            rule.severity,
            opens.unwrap_or_default(),
            rule.about,
            rule.why,
            rule.mend
        )?;
    }
    for incident in &kind.incidents {
        let opening = &incident.opening;
        let how = if incident.on.is_empty() {
            "is resolved by itself".to_owned()
        } else {
            format!("opens, {}", opening.severity)
        };
        writeln!(
            out,
            "\n- **Incident `{}`** {how}: {} {} *{}*",
            opening.class, incident.about, incident.why, incident.mend
        )?;
    }
    Ok(())
}

fn head(out: &mut String, kind: &Kind) -> std::fmt::Result {
    write!(out, "- **Subject:** {}", kind.subject)?;
    let narrow = kind.subject_field().filter(|field| match &field.shape {
        Shape::String { size, pattern } => pattern.is_some() || size.max.is_some(),
        _ => true,
    });
    if let Some(field) = narrow {
        write!(
            out,
            " One that the field `{}` would not accept is refused.",
            field.name
        )?;
    }
    writeln!(out)?;
    if kind.stateless {
        writeln!(
            out,
            "- **State:** none; its events are facts about something else."
        )?;
    }
    writeln!(
        out,
        "- **Read model:** `{}_{}`",
        kind.name.package, kind.view
    )?;
    let Retention { least, usual } = kind.retention;
    let rows = if kind.retention_rows.is_empty() {
        String::new()
    } else {
        format!(" ({})", kind.retention_rows.join(", "))
    };
    match (least, usual) {
        (Term::Forever, _) => writeln!(out, "- **Data is kept:** for ever{rows}.")?,
        (Term::Days(days), Term::Forever) => {
            writeln!(
                out,
                "- **Data is kept:** {days} days at least{rows}, for ever unless the settings say when it goes."
            )?;
        }
        (Term::Days(days), Term::Days(_)) => {
            writeln!(
                out,
                "- **Data is kept:** {days} days{rows}, then deleted; the settings may lengthen that."
            )?;
        }
    }
    if kind.additional {
        writeln!(
            out,
            "- **Other members of `data`:** accepted and kept in the event."
        )
    } else {
        writeln!(out, "- **Other members of `data`:** refused.")
    }
}

fn event(out: &mut String, kind: &Kind, event: &EventDef) -> std::fmt::Result {
    write!(
        out,
        "\n### `{}.{}`\n\n{}",
        kind.name, event.verb, event.about
    )?;
    if event.creates {
        out.push_str(" An entity may begin with it.");
    }
    match (&event.to_field, &event.to) {
        (Some(field), Some(to)) => {
            write!(out, " The status becomes what `{field}` says, or `{to}`.")?;
        }
        (Some(field), None) => write!(out, " The status becomes what `{field}` says.")?,
        (None, Some(to)) => write!(out, " The status becomes `{to}`.")?,
        (None, None) => {}
    }
    if let Some(field) = &event.marks.actor_becomes {
        write!(
            out,
            " The entity's `{field}` becomes who acted, unless it is said."
        )?;
    }
    if let Some(field) = &event.marks.actor_joins {
        write!(out, " Who acted joins the entity's `{field}`.")?;
    }
    if let Some(field) = &event.marks.time_becomes {
        write!(
            out,
            " The entity's `{field}` becomes the event's time, unless it is said."
        )?;
    }
    if let Some(times) = &event.marks.times_become {
        let which = if times.new { "new name" } else { "name" };
        let places: Vec<String> = times.names.iter().map(|path| format!("`{path}`")).collect();
        write!(
            out,
            " The entity's `{}` keeps the event's time under each {which} in {}.",
            times.field,
            places.join(", or else in ")
        )?;
    }
    if kind.name.package.as_str() == crate::package::LEDGER {
        out.push_str(if event.operators {
            " Published by the ledger, or by whom the settings name as an operator."
        } else {
            " Published by the ledger alone."
        });
    }
    out.push_str("\n\n");
    if !event.members.fields.is_empty() {
        out.push_str("| field | type | needed | what it says |\n|---|---|---|---|\n");
        for (place, field) in event.members.fields.iter().enumerate() {
            rows(out, field, "", Some(&needed(&event.members, place)));
        }
        out.push('\n');
    }
    let example = serde_json::to_string_pretty(&event.example()).unwrap_or_default();
    write!(out, "```json\n{example}\n```\n")
}

/// Whether a member must be there.
fn needed(members: &Members, place: usize) -> String {
    if members.requires(place) {
        return "yes".to_owned();
    }
    let conditions = members
        .required_when
        .iter()
        .filter(|one| one.field == place);
    let when: Vec<String> = conditions
        .filter_map(|one| {
            let name = &members.fields.get(one.when)?.name;
            let values: Vec<String> = one.is.iter().map(|value| format!("`{value}`")).collect();
            Some(match values.as_slice() {
                [] => format!("with `{name}`"),
                _ => format!("when `{name}` is {}", values.join(" or ")),
            })
        })
        .collect();
    when.join("; ")
}

/// A field's row, and one for each member inside it.
fn rows(out: &mut String, field: &Field, outer: &str, needed: Option<&str>) {
    let name = format!("{outer}{}", field.name);
    let mut about = cell(&field.about);
    if let Some(kind) = &field.reference {
        let _ = match &field.reference_id {
            None => write!(about, " Names a `{kind}`."),
            Some(made) => write!(about, " Names the `{kind}` `{made}`."),
        };
    }
    if let Some(part) = &field.part {
        let _ = write!(about, " The same as in `{}`.", part.of);
    }
    if let Some(other) = &field.becomes {
        let _ = write!(about, " Becomes the entity's `{other}`.");
    }
    if field.sensitive {
        about.push_str(" *Sensitive.*");
    }
    let shape = cell(&type_text(&field.shape));
    let _ = match needed {
        Some(needed) => writeln!(out, "| `{name}` | {shape} | {needed} | {about} |"),
        None => writeln!(out, "| `{name}` | {shape} | {about} |"),
    };
    let (members, path) = inner(&field.shape, name);
    for (place, field) in members
        .iter()
        .flat_map(|members| members.fields.iter().enumerate())
    {
        let inner = members
            .filter(|members| members.requires(place))
            .map_or("", |_| "yes");
        rows(out, field, &format!("{path}."), needed.map(|_| inner));
    }
}

/// The members inside a shape, and the path that leads to them.
fn inner(shape: &Shape, path: String) -> (Option<&Members>, String) {
    match shape {
        Shape::Object(members) => (Some(members), path),
        Shape::Array { of, .. } => inner(of, format!("{path}[]")),
        Shape::Map { of, .. } => inner(of, format!("{path}.*")),
        _ => (None, path),
    }
}

/// A shape in words, e.g. `array of integer, 1 or more`.
pub fn type_text(shape: &Shape) -> String {
    match shape {
        Shape::String { size, pattern } => {
            let size = if size.min == Some(1) && size.max.is_none() {
                ", not empty".to_owned()
            } else {
                range(size, " characters")
            };
            let pattern = pattern
                .as_ref()
                .map(|pattern| format!(", all of `{}`", pattern.as_str()));
            format!("string{size}{}", pattern.unwrap_or_default())
        }
        Shape::Integer(bounds) => format!("integer{}", range(bounds, "")),
        Shape::Number(bounds) => format!("number{}", range(bounds, "")),
        Shape::Enum(values) => {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            values.join(", ")
        }
        Shape::Array { of, size } => format!("array of {}{}", type_text(of), range(size, " items")),
        Shape::Map { of, size } => format!("map to {}{}", type_text(of), range(size, " entries")),
        Shape::Entity(templates) => {
            let made: Vec<String> = templates.iter().map(|one| format!("`{one}`")).collect();
            format!("identifier, or an object with {}", made.join(" or "))
        }
        Shape::Any => "any value".to_owned(),
        Shape::Scalar => "string, number or boolean".to_owned(),
        Shape::Amount => "number or percentage".to_owned(),
        other => other.type_name().to_owned(),
    }
}

fn range<T: Display + PartialEq>(bounds: &Bounds<T>, of_what: &str) -> String {
    match (&bounds.min, &bounds.max) {
        (None, None) => String::new(),
        (Some(min), None) => format!(", {min}{of_what} or more"),
        (None, Some(max)) => format!(", {max}{of_what} at most"),
        (Some(min), Some(max)) if min == max => format!(", {min}{of_what}"),
        (Some(min), Some(max)) => format!(", {min} to {max}{of_what}"),
    }
}

/// Text in a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

//! What a rule demands, as Markdown: by its shape, and what it looks at.

use std::fmt::{self, Write as _};

use super::declare::{By, Condition, Deadline, Find, Precedes, Rule, Shape};
use super::describe::{code, quoted};
use crate::kind::Kind;

/// What is demanded of the rule's own shape, then the names in its conditions.
pub(super) fn demands(out: &mut String, kind: &Kind, rule: &Rule) -> fmt::Result {
    if let Some(each) = &rule.each {
        writeln!(out, "- **For each `item` of:** {}", code(&each.list.text))?;
    }
    match &rule.shape {
        Shape::Require(condition) => writeln!(out, "- **Demands:** {}", code(&condition.text))?,
        Shape::Unique { fields, among } => {
            let fields = quoted(fields.iter().map(String::as_str));
            write!(out, "- **Demands:** no other has the same {fields}")?;
            those(out, among.as_ref())?;
        }
        Shape::Reference { field, is, .. } => {
            write!(out, "- **Demands:** what `{field}` names is there")?;
            if let Some(is) = is {
                write!(out, ", and {}", code(&is.text))?;
            }
            out.push('\n');
        }
        Shape::Precedes(one) => precedes(out, one)?,
        Shape::Deadline(one) => deadline(out, kind, one)?,
        Shape::Authority { publishers, actors } => {
            let whom = [("publisher", publishers), ("actor", actors)];
            for (who, setting) in whom {
                if let Some(setting) = setting {
                    let setting = code(&setting.text);
                    writeln!(
                        out,
                        "- **Demands:** the {who} is one of {setting}, unless that is empty"
                    )?;
                }
            }
        }
        Shape::Acyclic { field } => {
            writeln!(out, "- **Demands:** following `{field}` does not lead back")?;
        }
    }
    for find in &rule.find {
        looked_up(out, find)?;
    }
    Ok(())
}

/// Of which others only some count.
fn those(out: &mut String, which: Option<&Condition>) -> fmt::Result {
    if let Some(which) = which {
        write!(out, ", of those with {}", code(&which.text))?;
    }
    out.push('\n');
    Ok(())
}

fn precedes(out: &mut String, one: &Precedes) -> fmt::Result {
    let other = &one.other;
    if one.event_first {
        write!(out, "- **Demands:** this comes before `{other}`")?;
    } else {
        write!(out, "- **Demands:** `{other}` came before this")?;
    }
    write!(out, ", by position and by claimed time")?;
    those(out, one.counts.as_ref())
}

fn deadline(out: &mut String, kind: &Kind, one: &Deadline) -> fmt::Result {
    writeln!(out, "- **Due:** {}", code(&one.due.text))?;
    if let Some(unless) = &one.unless {
        writeln!(out, "- **Unless:** {}", code(&unless.text))?;
    }
    if let Some(task) = &one.task {
        writeln!(out, "- **Task:** `{}`: {}", task.class, task.title)?;
    }
    if let Some(emit) = &one.emit {
        let event = format!("`{}.{}`", kind.name, emit.verb);
        writeln!(out, "- **The ledger publishes:** {event}")?;
    }
    Ok(())
}

/// What a name in the conditions stands for.
fn looked_up(out: &mut String, find: &Find) -> fmt::Result {
    let (name, kind) = (&find.name, &find.kind);
    write!(out, "- **Where `{name}` is:** ")?;
    match &find.by {
        By::Id(id) => write!(out, "the `{kind}` {}", code(&id.text))?,
        By::Where(fields) => {
            match find.latest {
                Some(most) => write!(out, "the last {most} `{kind}`")?,
                None => write!(out, "every `{kind}`")?,
            }
            with(out, fields)?;
        }
        By::Count(fields) => {
            write!(out, "how many `{kind}` there are")?;
            with(out, fields)?;
        }
    }
    out.push('\n');
    Ok(())
}

fn with(out: &mut String, fields: &[(String, Condition)]) -> fmt::Result {
    for (place, (path, value)) in fields.iter().enumerate() {
        let word = if place == 0 { "with" } else { "and" };
        write!(out, " {word} `{path}` {}", code(&value.text))?;
    }
    Ok(())
}

//! What each shape of a rule is told by.

use super::super::table::{Table, nearest};
use super::{
    condition, incidents, kind_name, legal_id, legal_name, need_condition, parse_severity,
};
use crate::cel::ast::{Expr, What};
use crate::diagnostic::listed;
use crate::kind::{EventDef, Severity};
use crate::rule::{Condition, Deadline, Emit, Outcome, Precedes, Shape, Task};

/// `shape = "…"` with the keys that belong to it.
pub(super) fn shape(
    table: &Table<'_>,
    id: Option<&str>,
    severity: Option<Severity>,
    events: &[EventDef],
) -> Option<Shape> {
    let mend = format!("write one of {}", listed(Shape::WORDS));
    let word = table.need_text("shape", &mend)?;
    match word.value {
        "require" => {
            let mend = "write what has to hold, e.g. `require = 'entity.duration_minutes <= 60'`";
            need_condition(table, "require", mend).map(Shape::Require)
        }
        "unique" => unique(table),
        "reference" => {
            let mend = "name the field, e.g. `field = \"environment\"`";
            let field = table.need_text("field", mend);
            Some(Shape::Reference {
                kind: kind_name(table, "kind", false),
                is: condition(table, "is"),
                field: field?.value.to_owned(),
            })
        }
        "precedes" => precedes(table, id, severity),
        "deadline" => deadline(table, events),
        "authority" => Some(authority(table)),
        "acyclic" => {
            let field = table.need_text("field", "name the field with the references");
            Some(Shape::Acyclic {
                field: field?.value.to_owned(),
            })
        }
        other => {
            let mend = match nearest(other, &Shape::WORDS) {
                Some(near) => format!("write `{near}`"),
                None => mend,
            };
            table
                .source
                .report(word.at, format!("`{other}` is no shape"), mend);
            None
        }
    }
}

fn unique(table: &Table<'_>) -> Option<Shape> {
    let fields = table.texts("fields");
    if fields.is_empty() {
        let message = format!("{} does not say what is unique", table.name);
        let mend = "name the fields, e.g. `fields = [\"etcd_peer_addr\"]`";
        table.source.report(table.at, message, mend);
        return None;
    }
    Some(Shape::Unique {
        among: condition(table, "among"),
        fields: fields.iter().map(|field| field.value.to_owned()).collect(),
    })
}

fn precedes(table: &Table<'_>, id: Option<&str>, severity: Option<Severity>) -> Option<Shape> {
    let first = table.text("first");
    let then = table.text("then");
    let (other, event_first) = match (first, then) {
        (Some(first), None) => (first, false),
        (None, Some(then)) => (then, true),
        _ => {
            let message = format!("{} does not say what comes before what", table.name);
            let mend = "name the look-up that comes `first`, or the one that comes `then`";
            table.source.report(table.at, message, mend);
            return None;
        }
    };
    let outcome = |key| outcome(table, key, id, severity);
    let (missing, after, backdated) = (outcome("missing"), outcome("after"), outcome("backdated"));
    let (wrong, mend) = if event_first {
        (
            "missing",
            "what was looked up is there already: say what `after` and `backdated` are",
        )
    } else {
        (
            "backdated",
            "what comes later is judged by the rule of the other event, with `then`",
        )
    };
    if let Some(at) = table.place(wrong) {
        table
            .source
            .report(at, format!("{} can have no `{wrong}`", table.name), mend);
    }
    let says = ["missing", "after", "backdated"].map(|key| table.place(key).is_some());
    if says == [false; 3] {
        let message = format!("{} does not say what is wrong", table.name);
        let mend =
            "write e.g. `missing = {}`, `after = {}` or `backdated = { severity = \"critical\" }`";
        table.source.report(table.at, message, mend);
    }
    Some(Shape::Precedes(Box::new(Precedes {
        other: other.value.to_owned(),
        event_first,
        counts: condition(table, "counts"),
        time: condition(table, "time"),
        other_time: condition(table, "other_time"),
        missing,
        after,
        backdated,
    })))
}

/// `after = { id = "…", severity = "…", incident = … }`, each the rule's own where nothing is said.
fn outcome(
    table: &Table<'_>,
    key: &'static str,
    id: Option<&str>,
    severity: Option<Severity>,
) -> Option<Outcome> {
    let inner = table.table(key)?;
    let own_id = inner.text("id").and_then(|id| legal_id(&inner, id));
    let own = inner
        .text("severity")
        .and_then(|text| parse_severity(&inner, text));
    let severity = own.or(severity);
    let incident = incidents::opening(&inner, "incident", severity);
    inner.finish();
    Some(Outcome {
        id: own_id.or_else(|| id.map(str::to_owned))?,
        severity: severity?,
        incident,
    })
}

fn deadline(table: &Table<'_>, events: &[EventDef]) -> Option<Shape> {
    let mend = "say when it is due, e.g. `due = 'entity.since + settings.timeout.deployment'`";
    let due = need_condition(table, "due", mend);
    let unless = condition(table, "unless");
    let raise = table.flag("raise").unwrap_or(true);
    let task = table.table("task").and_then(|inner| {
        let class = inner.need_text("class", "name it, e.g. `rotation_follow_up`");
        let class = class.and_then(|class| legal_name(&inner, class));
        let title = inner.need_text("title", "say in a sentence what is to be done");
        inner.finish();
        let title = title?.value.to_owned();
        Some(Task {
            class: class?,
            title,
        })
    });
    let emit = table.table("emit").and_then(|inner| emit(&inner, events));
    if !raise && task.is_none() && emit.is_none() {
        let message = format!("{} does nothing when it is due", table.name);
        table
            .source
            .report(table.at, message, "remove `raise = false`, or add a `task`");
    }
    Some(Shape::Deadline(Box::new(Deadline {
        due: due?,
        unless,
        raise,
        task,
        emit,
    })))
}

/// `emit = { verb = "reverted", data = { reason = '"unverified"' } }`.
fn emit(table: &Table<'_>, events: &[EventDef]) -> Option<Emit> {
    let verb = table.need_text("verb", "name an event of this kind");
    let data = table.table("data").map(|inner| {
        let texts = inner.named_texts();
        let read = |(name, text): (super::Text<'_>, super::Text<'_>)| {
            Some((name.value.to_owned(), super::expression(&inner, text)?))
        };
        texts.into_iter().filter_map(read).collect::<Vec<_>>()
    });
    table.finish();
    let verb = verb?;
    let Some(event) = events
        .iter()
        .find(|event| event.verb.as_str() == verb.value)
    else {
        let verbs: Vec<&str> = events.iter().map(|event| event.verb.as_str()).collect();
        let message = format!(
            "{} publishes the unknown event `{}`",
            table.name, verb.value
        );
        let mend = format!("write one of {}", listed(verbs));
        table.source.report(verb.at, message, mend);
        return None;
    };
    let data = data.unwrap_or_default();
    for (name, _) in &data {
        if event.members.find(name).is_none() {
            let known = event.members.fields.iter().map(|field| field.name.as_str());
            let message = format!(
                "{} gives `{}` the unknown field `{name}`",
                table.name, verb.value
            );
            let mend = format!("write one of {}", listed(known));
            table.source.report(verb.at, message, mend);
        }
    }
    Some(Emit {
        verb: event.verb.clone(),
        data,
    })
}

/// `publishers` and `actors`: settings with the names of those who may.
fn authority(table: &Table<'_>) -> Shape {
    let setting = |key: &'static str| {
        let text = table.text(key)?;
        let legal = !text.value.is_empty()
            && text
                .value
                .split('.')
                .all(|part| crate::name::Name::new(part).is_ok());
        if !legal {
            let message = format!("`{}` is no setting's name", text.value);
            table
                .source
                .report(text.at, message, "write e.g. `publishers.drift`");
            return None;
        }
        let expr = |what| Expr { at: 0, what };
        let root = expr(What::Name("settings".to_owned()));
        let path = text.value.split('.').fold(root, |of, name| {
            expr(What::Member(Box::new(of), name.to_owned()))
        });
        Some(Condition {
            text: text.value.to_owned(),
            expr: path,
            line: table.source.line(text.at),
        })
    };
    let (publishers, actors) = (setting("publishers"), setting("actors"));
    if !table.has("publishers") && !table.has("actors") {
        let message = format!("{} does not say who may", table.name);
        let mend = "name the setting with `publishers`, or with `actors`";
        table.source.report(table.at, message, mend);
    }
    Shape::Authority { publishers, actors }
}

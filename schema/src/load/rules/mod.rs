//! `[[rules]]`: a kind's law. What a rule names is checked when a catalog is compiled; here its own form is.

mod incidents;
mod shapes;

use super::table::{Table, Text, nearest};
use crate::cel::parse;
use crate::diagnostic::listed;
use crate::kind::{EventDef, Severity};
use crate::name::{KindName, Name};
use crate::rule::{By, Condition, Each, Find, OWN, On, Rule, Shape, Whom};

pub(super) use incidents::incidents;

/// What belongs to a look-up's name in conditions already.
const TAKEN: [&str; 9] = [
    "event", "entity", "before", "item", "other", "target", "timer", "settings", "duration",
];

/// Every rule of the file.
pub(super) fn rules(top: &Table<'_>, events: &[EventDef]) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for table in top.tables("rules") {
        let Some(rule) = rule(&table, events) else {
            continue;
        };
        if rules
            .iter()
            .any(|other| other.id == rule.id && other.part == rule.part)
        {
            let message = format!("the rule `{}` stands twice", rule.id);
            let mend =
                "name the parts of one rule, e.g. `part = \"updated\"`, or rename one of the two";
            table.source.report(table.at, message, mend);
        }
        rules.push(rule);
    }
    rules
}

fn rule(table: &Table<'_>, events: &[EventDef]) -> Option<Rule> {
    let id = table.need_text("id", "name it, e.g. `id = \"environment.quota_missing\"`");
    let id = id.and_then(|id| legal_id(table, id));
    let part = table.text("part").and_then(|part| legal_name(table, part));
    let severity = severity(table);
    let about = table.need_text("about", "say in a sentence what the rule demands");
    let why = table.need_text("why", "say in a sentence why it is demanded");
    let mend = table.need_text("mend", "say in a sentence what to do when it is broken");
    let on = listens(table, events);
    let shape = shapes::shape(table, id.as_deref(), severity, events);
    let clears = table.flag("clears");
    let override_by = override_by(table);
    let rule = Rule {
        rows: rows(table),
        on,
        whom: whom(table),
        when: condition(table, "when"),
        find: finds(table),
        each: each(table),
        incident: incidents::opening(table, "incident", severity),
        instead_of: table
            .texts("instead_of")
            .iter()
            .map(|one| one.value.to_owned())
            .collect(),
        override_by,
        line: table.source.line(table.at),
        id: id.unwrap_or_default(),
        part: part.unwrap_or_default(),
        severity: severity.unwrap_or(Severity::Info),
        about: about.map_or_else(String::new, |text| text.value.to_owned()),
        why: why.map_or_else(String::new, |text| text.value.to_owned()),
        mend: mend.map_or_else(String::new, |text| text.value.to_owned()),
        // A fact stays broken; a state is mended.
        clears: clears.unwrap_or(matches!(
            shape,
            Some(
                Shape::Unique { .. }
                    | Shape::Reference { .. }
                    | Shape::Deadline(_)
                    | Shape::Acyclic { .. }
            )
        )),
        shape: shape?,
    };
    table.finish();
    Some(rule)
}

/// `override = { by = "<look-up>", when = '…' }`.
fn override_by(table: &Table<'_>) -> Option<(String, Condition)> {
    let inner = table.table("override")?;
    let by = inner.need_text("by", "name the look-up that holds the overrides");
    let when = need_condition(
        &inner,
        "when",
        "say which of them counts, e.g. `other.rule == \"tag.immutable_moved\"`",
    );
    inner.finish();
    Some((by?.value.to_owned(), when?))
}

/// `severity = "…"`, which must be there.
fn severity(table: &Table<'_>) -> Option<Severity> {
    let mend = format!(
        "write one of {}",
        listed(Severity::ALL.iter().map(|one| one.as_str()))
    );
    let text = table.need_text("severity", &mend)?;
    parse_severity(table, text)
}

fn parse_severity(table: &Table<'_>, text: Text<'_>) -> Option<Severity> {
    let severity = Severity::parse(text.value);
    if severity.is_none() {
        let words: Vec<&str> = Severity::ALL.iter().map(|one| one.as_str()).collect();
        let mend = match nearest(text.value, &words) {
            Some(near) => format!("write `{near}`"),
            None => format!("write one of {}", listed(words)),
        };
        table
            .source
            .report(text.at, format!("`{}` is no severity", text.value), mend);
    }
    severity
}

/// Two names or more with dots between them: it becomes part of a NATS subject.
fn legal_id(table: &Table<'_>, id: Text<'_>) -> Option<String> {
    let parts: Vec<&str> = id.value.split('.').collect();
    if parts.len() < 2 || parts.iter().any(|part| Name::new(part).is_err()) {
        let message = format!("`{}` is not a rule's name", id.value);
        let mend = "write names with dots, e.g. `environment.quota_missing`";
        table.source.report(id.at, message, mend);
        return None;
    }
    if OWN.contains(&id.value) {
        let message = format!("`{}` is what the ledger itself raises", id.value);
        let mend = "give the rule a name of its own: a verdict of that name means one thing";
        table.source.report(id.at, message, mend);
        return None;
    }
    Some(id.value.to_owned())
}

fn legal_name(table: &Table<'_>, name: Text<'_>) -> Option<String> {
    match Name::new(name.value) {
        Ok(name) => Some(name.to_string()),
        Err(error) => {
            table
                .source
                .report(name.at, error.to_string(), "write e.g. `updated`");
            None
        }
    }
}

/// `rows = ["000-14"]`.
fn rows(table: &Table<'_>) -> Vec<String> {
    let rows = table.texts("rows");
    rows.iter().map(|row| row.value.to_owned()).collect()
}

/// `on = […]`: verbs of this kind, types of others, `*` for every event. Nothing means every verb of this kind.
fn listens(table: &Table<'_>, events: &[EventDef]) -> Vec<On> {
    if !table.has("on") {
        let _ = table.texts("on");
        return events
            .iter()
            .map(|event| On::Verb(event.verb.clone()))
            .collect();
    }
    let texts = table.texts("on");
    texts
        .into_iter()
        .filter_map(|text| listen(table, text, events))
        .collect()
}

fn listen(table: &Table<'_>, text: Text<'_>, events: &[EventDef]) -> Option<On> {
    if text.value == "*" {
        return Some(On::Any);
    }
    if let Some((kind, verb)) = text.value.rsplit_once('.') {
        return if let (Ok(kind), Ok(verb)) = (kind.parse::<KindName>(), Name::new(verb)) {
            Some(On::Type(kind, verb))
        } else {
            let message = format!("`{}` is no event's type", text.value);
            let mend = "write a verb of this kind, or `<package>.<entity>.<verb>`";
            table.source.report(text.at, message, mend);
            None
        };
    }
    let verbs: Vec<&str> = events.iter().map(|event| event.verb.as_str()).collect();
    if let Some(event) = events
        .iter()
        .find(|event| event.verb.as_str() == text.value)
    {
        return Some(On::Verb(event.verb.clone()));
    }
    let mend = match nearest(text.value, &verbs) {
        Some(near) => format!("write `{near}`"),
        None => format!("write one of {}", listed(verbs)),
    };
    let message = format!(
        "{} listens to the unknown event `{}`",
        table.name, text.value
    );
    table.source.report(text.at, message, mend);
    None
}

/// `id_of = '…'`, or `where = { field = '…' }` with or without `latest`: which entities of the kind an event is about.
fn whom(table: &Table<'_>) -> Option<Whom> {
    let id = condition(table, "id_of");
    let fields = table.table("where").map(|inner| values(&inner));
    let report = |message, mend: &str| {
        table.source.report(table.at, message, mend);
        None
    };
    match (id, fields) {
        (Some(_), Some(_)) => report(
            format!("{} has both `id_of` and `where`", table.name),
            "say in one way which entities it is about",
        ),
        (None, Some(fields)) if fields.is_empty() => report(
            format!("{} says `where` and no field", table.name),
            "write `where = { field = '…' }`, or remove it",
        ),
        (None, Some(fields)) => Some(Whom::Where {
            fields,
            latest: latest(table),
        }),
        (id, None) => id.map(Whom::Id),
    }
}

/// `latest = N`: only so many, the last created.
fn latest(table: &Table<'_>) -> Option<u32> {
    let (number, at) = table.number("latest")?;
    let latest = number
        .as_u64()
        .and_then(|number| u32::try_from(number).ok());
    let legal = latest.filter(|latest| (1..=crate::rule::MOST_FOUND).contains(latest));
    if legal.is_none() {
        let mend = format!("write 1 to {}", crate::rule::MOST_FOUND);
        table
            .source
            .report(at, format!("`latest = {number}`"), mend);
    }
    legal
}

/// `{ field = '…' }`: the values of fields.
fn values(inner: &Table<'_>) -> Vec<(String, Condition)> {
    let texts = inner.named_texts();
    let read = |(field, text): (Text<'_>, Text<'_>)| {
        Some((field.value.to_owned(), expression(inner, text)?))
    };
    texts.into_iter().filter_map(read).collect()
}

/// An expression that may be there.
fn condition(table: &Table<'_>, key: &'static str) -> Option<Condition> {
    let text = table.text(key)?;
    expression(table, text)
}

/// An expression that must be there.
fn need_condition(table: &Table<'_>, key: &'static str, mend: &str) -> Option<Condition> {
    let text = table.need_text(key, mend)?;
    expression(table, text)
}

fn expression(table: &Table<'_>, text: Text<'_>) -> Option<Condition> {
    match parse::parse(text.value) {
        Ok(expr) => Some(Condition {
            text: text.value.to_owned(),
            expr,
            line: table.source.line(text.at),
        }),
        Err(wrong) => {
            let message = format!("in `{}`: {}", crate::rule::short(text.value), wrong.message);
            table.source.report(text.at, message, wrong.mend);
            None
        }
    }
}

/// `[rules.find.NAME]`: other entities, by identifier or by their fields' values.
fn finds(table: &Table<'_>) -> Vec<Find> {
    let Some(named) = table.table("find") else {
        return Vec::new();
    };
    let all = named.named_tables();
    all.into_iter()
        .filter_map(|(name, table)| find(name, &table))
        .collect()
}

fn find(name: Text<'_>, table: &Table<'_>) -> Option<Find> {
    let legal = name
        .value
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.value.starts_with(|c: char| c.is_ascii_lowercase());
    if !legal || TAKEN.contains(&name.value) {
        let message = format!("a look-up cannot be named `{}`", name.value);
        let mend = format!(
            "write small letters, digits and `_`; taken are {}",
            listed(TAKEN)
        );
        table.source.report(name.at, message, mend);
    }
    let kind = kind_name(table, "kind", true);
    let latest = latest(table);
    let counts = table.flag("count").unwrap_or(false);
    let id = condition(table, "id");
    let fields = table.table("where").map(|inner| values(&inner));
    let by = match (id, fields, counts) {
        (Some(id), None, false) => Some(By::Id(id)),
        (None, Some(fields), true) => Some(By::Count(fields)),
        (None, None, true) if !table.has("id") => Some(By::Count(Vec::new())),
        (None, Some(fields), false) if !fields.is_empty() => Some(By::Where(fields)),
        _ => {
            let message = format!("{} does not say which entities it means", table.name);
            let mend = "write `id = '…'`, `where = { field = '…' }` with a field or more, or `count = true`";
            table.source.report(table.at, message, mend);
            None
        }
    };
    table.finish();
    Some(Find {
        name: name.value.to_owned(),
        kind: kind?,
        by: by?,
        latest,
        line: table.source.line(table.at),
    })
}

/// A kind that is named; that it is known is checked when a catalog is compiled.
fn kind_name(table: &Table<'_>, key: &'static str, needed: bool) -> Option<KindName> {
    let mend = "write `<package>.<entity>`";
    let text = if needed {
        table.need_text(key, mend)
    } else {
        table.text(key)
    }?;
    if let Ok(kind) = text.value.parse() {
        Some(kind)
    } else {
        let message = format!("`{}` is no kind's name", text.value);
        table.source.report(text.at, message, mend);
        None
    }
}

/// `each = '…'`, `key = '…'`.
fn each(table: &Table<'_>) -> Option<Each> {
    let list = condition(table, "each");
    let key = condition(table, "key");
    if let (None, Some(at)) = (&list, table.place("key").filter(|_| !table.has("each"))) {
        let message = format!("{} has a `key` and no `each`", table.name);
        table
            .source
            .report(at, message, "name the list in `each`, or remove `key`");
    }
    Some(Each { list: list?, key })
}

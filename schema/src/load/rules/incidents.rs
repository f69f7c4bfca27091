//! `[[incidents]]`: what opens or resolves an incident without a verdict; and how rules open one.

use super::super::table::Table;
use super::{
    condition, finds, kind_name, legal_name, listens, need_condition, parse_severity, rows, whom,
};
use crate::kind::{EventDef, Severity};
use crate::rule::{Incident, Opening, Resolve};

/// Every `[[incidents]]` of the file.
pub(in super::super) fn incidents(top: &Table<'_>, events: &[EventDef]) -> Vec<Incident> {
    let tables = top.tables("incidents");
    tables
        .iter()
        .filter_map(|table| incident(table, events))
        .collect()
}

fn incident(table: &Table<'_>, events: &[EventDef]) -> Option<Incident> {
    let about = table.need_text("about", "say in a sentence what it means");
    let why = table.need_text("why", "say in a sentence why it is an incident");
    let mend = table.need_text("mend", "say in a sentence what to do about it");
    let severity = table
        .text("severity")
        .and_then(|text| parse_severity(table, text));
    let on = if table.has("on") {
        listens(table, events)
    } else {
        let _ = table.texts("on");
        Vec::new()
    };
    let resolve = table.table("resolve").map(|inner| {
        let on = listens(&inner, events);
        let whom = whom(&inner);
        let when = condition(&inner, "when");
        inner.finish();
        Resolve { on, whom, when }
    });
    if on.is_empty() && resolve.is_none() {
        let message = format!("{} neither opens nor resolves anything", table.name);
        table.source.report(
            table.at,
            message,
            "say `on` which events it opens, or what `resolve`s it",
        );
    }
    if !on.is_empty() && severity.is_none() && !table.has("severity") {
        let message = format!("{} has no `severity`", table.name);
        table.source.report(
            table.at,
            message,
            "say how bad it is, e.g. `severity = \"error\"`",
        );
    }
    let opening = opening_of(table, severity);
    let incident = Incident {
        rows: rows(table),
        whom: whom(table),
        find: finds(table),
        line: table.source.line(table.at),
        about: about.map_or_else(String::new, |text| text.value.to_owned()),
        why: why.map_or_else(String::new, |text| text.value.to_owned()),
        mend: mend.map_or_else(String::new, |text| text.value.to_owned()),
        on,
        resolve,
        opening: opening?,
    };
    table.finish();
    Some(incident)
}

/// `incident = "class"`, or a table with `class`, `severity`, `severity_when`, `when`, `of`.
pub(super) fn opening(
    table: &Table<'_>,
    key: &'static str,
    severity: Option<Severity>,
) -> Option<Opening> {
    if table.is_text(key) {
        let class = table.text(key)?;
        return Some(Opening {
            class: legal_name(table, class)?,
            severity: severity.unwrap_or(Severity::Error),
            severity_when: Vec::new(),
            when: None,
            of: None,
        });
    }
    let inner = table.table(key)?;
    let own = inner
        .text("severity")
        .and_then(|text| parse_severity(&inner, text));
    let opening = opening_of(&inner, own.or(severity));
    inner.finish();
    opening
}

fn opening_of(table: &Table<'_>, severity: Option<Severity>) -> Option<Opening> {
    let class = table.need_text("class", "name it, e.g. `class = \"provisioning_failed\"`");
    let class = class.and_then(|class| legal_name(table, class));
    let mut severity_when = Vec::new();
    if let Some(inner) = table.table("severity_when") {
        for (name, text) in inner.named_texts() {
            let severity = parse_severity(&inner, name);
            let condition = super::expression(&inner, text);
            severity_when.extend(severity.zip(condition));
        }
    }
    severity_when.sort_by_key(|(severity, _)| std::cmp::Reverse(*severity));
    let of = table.table("of").map(|inner| {
        let kind = kind_name(&inner, "kind", true);
        let id = need_condition(
            &inner,
            "id",
            "say which entity, e.g. `id = 'entity.environment'`",
        );
        inner.finish();
        kind.zip(id)
    });
    Some(Opening {
        when: condition(table, "when"),
        severity: severity.unwrap_or(Severity::Error),
        severity_when,
        of: of.flatten(),
        class: class?,
    })
}

//! `[[rules]]`: identity, severity, shape and words. What a rule says is not read yet.

use super::fields;
use super::table::{Table, Text};
use crate::diagnostic::listed;
use crate::kind::{EventDef, Field, Rule, RuleShape, Severity};
use crate::name::Name;

/// Every rule of the file.
pub(super) fn rules(top: &Table<'_>, entity: &[Field], events: &[EventDef]) -> Vec<Rule> {
    let mut all = entity.to_vec();
    all.extend(events.iter().flat_map(EventDef::evidence).cloned());
    let mut rules: Vec<Rule> = Vec::new();
    for table in top.tables("rules") {
        let Some(rule) = rule(&table, &all) else {
            continue;
        };
        if rules.iter().any(|other| other.id == rule.id) {
            let message = format!("the rule `{}` stands twice", rule.id);
            table
                .source
                .report(table.at, message, "remove or rename one of the two");
        }
        rules.push(rule);
    }
    rules
}

fn rule(table: &Table<'_>, all: &[Field]) -> Option<Rule> {
    let id = table.need_text("id", "name it, e.g. `id = \"environment.quota_missing\"`");
    let severity = word(table, "severity", Severity::ALL, Severity::as_str);
    let shape = word(table, "shape", RuleShape::ALL, RuleShape::as_str);
    let about = table.need_text("about", "say in a sentence what the rule asks");
    let looked_at = table.texts("fields");
    for name in &looked_at {
        let _ = fields::place(table, all, *name, "fields");
    }
    table.finish();
    Some(Rule {
        id: legal_id(table, id?)?,
        severity: severity?,
        shape: shape?,
        about: about?.value.to_owned(),
        fields: looked_at.iter().map(|name| name.value.to_owned()).collect(),
        line: table.source.line(table.at),
    })
}

/// Two names or more with dots between them: it becomes part of a NATS subject.
fn legal_id(table: &Table<'_>, id: Text<'_>) -> Option<String> {
    let parts: Vec<&str> = id.value.split('.').collect();
    if parts.len() < 2 || parts.iter().any(|part| Name::new(part).is_err()) {
        let message = format!("`{}` is not a rule's name", id.value);
        table.source.report(
            id.at,
            message,
            "write names with dots, e.g. `environment.quota_missing`",
        );
        return None;
    }
    Some(id.value.to_owned())
}

fn word<T: Copy>(
    table: &Table<'_>,
    key: &'static str,
    all: &[T],
    text: impl Fn(T) -> &'static str,
) -> Option<T> {
    let mend = format!("write one of {}", listed(all.iter().map(|one| text(*one))));
    let said = table.need_text(key, &mend)?;
    let found = all.iter().copied().find(|one| text(*one) == said.value);
    if found.is_none() {
        let message = format!("unknown {key} `{}` in {}", said.value, table.name);
        table.source.report(said.at, message, mend);
    }
    found
}

//! `[lifecycle]`: states and edges that do not contradict each other.

use std::collections::BTreeSet;

use super::table::{Table, Text, nearest};
use crate::diagnostic::listed;
use crate::kind::{Edge, EventDef, Lifecycle, Shape, State};

/// Reads the table. What is wrong with it is reported.
pub(super) fn lifecycle(table: &Table<'_>) -> Lifecycle {
    let judged = table.flag("judged").unwrap_or(true);
    let named = table
        .table("states")
        .map_or_else(Vec::new, |states| states.named_texts());
    if named.is_empty() {
        let mend = "declare [lifecycle.states]: a name and a sentence each";
        table
            .source
            .report(table.at, "the lifecycle has no states", mend);
    }
    let known: Vec<&str> = named.iter().map(|(name, _)| name.value).collect();
    let start = states_of(table, "start", &known);
    let terminal = states_of(table, "terminal", &known);
    let is_terminal = |name: &str| terminal.iter().any(|text| text.value == name);
    let mut edges: Vec<Edge> = Vec::new();
    for one in table.tables("edges") {
        for edge in edge(&one, &known) {
            if is_terminal(&edge.from) {
                let message = format!("an edge leads out of the terminal state `{}`", edge.from);
                let mend = "remove the edge, or take the state out of `terminal`";
                table.source.report(one.at, message, mend);
            }
            if edges
                .iter()
                .any(|other| other.from == edge.from && other.to == edge.to)
            {
                let message = format!("the edge `{}` to `{}` stands twice", edge.from, edge.to);
                table
                    .source
                    .report(one.at, message, "remove one of the two");
            }
            edges.push(edge);
        }
    }
    let lifecycle = Lifecycle {
        judged,
        states: named
            .iter()
            .map(|(name, about)| State {
                name: name.value.to_owned(),
                about: about.value.to_owned(),
                terminal: is_terminal(name.value),
            })
            .collect(),
        start: start.iter().map(|text| text.value.to_owned()).collect(),
        edges,
    };
    if judged {
        reachable(table, &lifecycle, &named);
    }
    table.finish();
    lifecycle
}

fn states_of<'a>(table: &Table<'a>, key: &'static str, known: &[&str]) -> Vec<Text<'a>> {
    let texts = table.texts(key);
    for text in &texts {
        unknown(table, *text, key, known);
    }
    texts
}

fn unknown(table: &Table<'_>, text: Text<'_>, key: &str, known: &[&str]) {
    // Where there are no states at all, that is said once.
    if known.is_empty() || known.contains(&text.value) {
        return;
    }
    let mend = match nearest(text.value, known) {
        Some(near) => format!("write `{near}`"),
        None => format!(
            "declare it in [lifecycle.states], or write one of {}",
            listed(known.iter().copied())
        ),
    };
    let message = format!(
        "`{key}` in {} names the unknown state `{}`",
        table.name, text.value
    );
    table.source.report(text.at, message, mend);
}

fn edge(table: &Table<'_>, known: &[&str]) -> Vec<Edge> {
    let from = table.need_text("from", "name the state that it leads from");
    let to = table.need_text("to", "name the state that it leads to");
    let when = table
        .text("when")
        .map_or_else(String::new, |text| text.value.to_owned());
    table.finish();
    for (key, text) in [("from", from), ("to", to)] {
        if let Some(text) = text {
            unknown(table, text, key, known);
        }
    }
    let (Some(from), Some(to)) = (from, to) else {
        return Vec::new();
    };
    vec![Edge {
        from: from.value.to_owned(),
        to: to.value.to_owned(),
        when,
    }]
}

/// Every state is reached from a start over the edges, and where no edge leads on it is terminal.
fn reachable(table: &Table<'_>, lifecycle: &Lifecycle, named: &[(Text<'_>, Text<'_>)]) {
    if lifecycle.start.is_empty() {
        let mend = "name the states that an entity begins in, e.g. `start = [\"draft\"]`";
        table
            .source
            .report(table.at, "the lifecycle has no `start`", mend);
        return;
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut next: Vec<&str> = lifecycle.start.iter().map(String::as_str).collect();
    while let Some(state) = next.pop() {
        if seen.insert(state) {
            let onward = lifecycle.edges.iter().filter(|edge| edge.from == state);
            next.extend(onward.map(|edge| edge.to.as_str()));
        }
    }
    for (state, (text, _)) in lifecycle.states.iter().zip(named) {
        if !seen.contains(state.name.as_str()) {
            let message = format!("the state `{}` is unreachable", state.name);
            let mend = "add an edge that leads to it, name it in `start`, or remove it";
            table.source.report(text.at, message, mend);
        }
        let leaves = lifecycle.edges.iter().any(|edge| edge.from == state.name);
        if !leaves && !state.terminal {
            let message = format!("no edge leads out of `{}`", state.name);
            table
                .source
                .report(text.at, message, "name it in `terminal`, or add an edge");
        }
    }
}

/// Lifecycle and events agree: every state has an event that leads to it, and what begins begins at a start.
pub(super) fn agree(table: &Table<'_>, lifecycle: &Lifecycle, events: &[EventDef]) {
    for state in &lifecycle.states {
        if !events.iter().any(|event| leads_to(event, &state.name)) {
            let message = format!("no event leads to the state `{}`", state.name);
            let mend = "give an event `to` or `to_field`, or remove the state";
            table.source.report(table.at, message, mend);
        }
    }
    if !lifecycle.judged {
        return;
    }
    if !events.iter().any(|event| event.creates) {
        let mend = "give the event that an entity begins with `creates = true`";
        table
            .source
            .report(table.at, "no event creates an entity", mend);
    }
    for event in events.iter().filter(|event| event.creates) {
        let begins = event
            .to
            .as_ref()
            .is_some_and(|to| lifecycle.start.contains(to));
        if !begins {
            let starts = listed(lifecycle.start.iter().map(String::as_str));
            let message = format!(
                "the event `{}` creates, and leads to no start state",
                event.verb
            );
            table
                .source
                .report(table.at, message, format!("give it a `to` among {starts}"));
        }
    }
}

fn leads_to(event: &EventDef, state: &str) -> bool {
    let by_field = event.to_field.as_ref().is_some_and(|name| {
        let field = event.members.find(name).map(|(_, field)| &field.shape);
        match field {
            Some(Shape::Enum(values)) => values.iter().any(|value| value == state),
            Some(Shape::Boolean) => matches!(state, "true" | "false"),
            _ => false,
        }
    });
    by_field || event.to.as_deref() == Some(state)
}

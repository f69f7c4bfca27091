//! A lifecycle as plain text, for a terminal and for the documentation.

use std::fmt::Write as _;

use crate::kind::{Kind, Lifecycle, State};

/// Draws the lifecycle of a kind: every state in the order of the file, and below it the ways that lead on.
/// Empty where the kind has none. Lines end with a newline; there is no colour.
pub fn lifecycle(kind: &Kind) -> String {
    let Some(lifecycle) = &kind.lifecycle else {
        return String::new();
    };
    let width = lifecycle
        .states
        .iter()
        .map(|state| label(state).chars().count())
        .max();
    let width = width.unwrap_or(0);
    let mut out = String::new();
    for state in &lifecycle.states {
        let begins = if lifecycle.start.contains(&state.name) {
            "● ─▶ "
        } else {
            "     "
        };
        line(
            &mut out,
            &format!("  {begins}{}", pad(&label(state), width + 6)),
            &state.about,
        );
        let onward: Vec<_> = lifecycle
            .edges
            .iter()
            .filter(|edge| edge.from == state.name)
            .collect();
        for (number, edge) in onward.iter().enumerate() {
            let branch = if number + 1 == onward.len() {
                "└─▶ "
            } else {
                "├─▶ "
            };
            let to = lifecycle
                .states
                .iter()
                .find(|state| state.name == edge.to)
                .map(label);
            let to = pad(&to.unwrap_or_default(), width);
            line(&mut out, &format!("         {branch}{to}"), &edge.when);
        }
    }
    out.push('\n');
    out.push_str(legend(lifecycle));
    out
}

fn legend(lifecycle: &Lifecycle) -> &'static str {
    let ends = lifecycle.states.iter().any(|state| state.terminal);
    match (lifecycle.judged, ends) {
        (true, true) => "  ● begins   ■ ends   any other way is recorded, and is a violation\n",
        (true, false) => "  ● begins   any other way is recorded, and is a violation\n",
        (false, true) => "  ● begins   ■ ends   the ways between are not judged\n",
        (false, false) => "  ● begins   the ways between are not judged\n",
    }
}

fn label(state: &State) -> String {
    if state.terminal {
        format!("{} ■", state.name)
    } else {
        state.name.clone()
    }
}

fn pad(text: &str, width: usize) -> String {
    format!("{text:width$}")
}

fn line(out: &mut String, left: &str, right: &str) {
    // Writing to a String does not fail.
    let _ = if right.is_empty() {
        writeln!(out, "{}", left.trim_end())
    } else {
        writeln!(out, "{left}  {right}")
    };
}

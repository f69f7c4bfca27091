//! `ledger export markdown`: the state changes of environments, as a section of a runbook.
//!
//! The same chain up to the same position gives the same bytes. The ledger never commits anywhere: a person or a pipeline
//! writes the section into its document, and `--check` says whether the document has it.

use std::fmt::Write as _;
use std::path::Path;

use projections::entity::Key;
use projections::query::{self, HistoryRow, When, Which};
use serde_json::json;

use crate::app::App;
use crate::connect;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

const KIND: &str = "platform.environment";
const BEGIN: &str = "<!-- begin: ledger export markdown -->";
const END: &str = "<!-- end: ledger export markdown -->";

/// Prints the section, or compares a document with it.
pub async fn run(app: &App, check: Option<&Path>, at: Option<u64>) -> Outcome {
    let config = app.config()?;
    let reader = connect::reader(&config).await?;
    let (db, ledger) = (reader.database(), &config.ledger);
    let when = at.map_or(When::Now, When::At);
    let which = Which {
        kind: Some(KIND),
        id: None,
    };
    let mut environments = Vec::new();
    for state in query::state(db, ledger, which, when).await? {
        let key = Key::new(&state.kind, &state.id);
        let lines = query::history(db, ledger, &key, when).await?;
        environments.push((state.id, lines));
    }
    let section = section(&environments);
    let Some(file) = check else {
        output::text(&section)?;
        return Ok(Exit::Done);
    };
    let document = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(format!("cannot read {}", file.display()))
            .because(error)
            .mend("name the document that holds the section")
    })?;
    let found = found(&document).ok_or_else(|| {
        Failure::not_found(format!("{} has no such section", file.display())).mend(format!(
            "put what `ledger export markdown` prints into it, from {BEGIN} to {END}"
        ))
    })?;
    let known = environments.iter().flat_map(|(_, lines)| lines);
    let known = known.map(|line| line.seq).max();
    let is_current = found == section;
    // What `governance.observation.recorded` says of it.
    app.one(&json!({
        "where": "file", "path": file, "digest": digest(found), "expected": digest(&section),
        "known_seq": known, "current": is_current,
    }))?;
    if is_current {
        return Ok(Exit::Done);
    }
    output::say(&format!(
        "{} is out of date: write the section anew, and commit it",
        file.display()
    ));
    Ok(Exit::Violations)
}

/// The section, its marks included.
fn section(environments: &[(String, Vec<HistoryRow>)]) -> String {
    let mut out = format!("{BEGIN}\n## State changes of environments\n");
    for (id, lines) in environments {
        let _ = write!(
            out,
            "\n### `{}`\n\n| position | recorded | from | to | by | |\n|---|---|---|---|---|---|\n",
            cell(id)
        );
        for line in lines.iter().filter(|line| line.from != line.to) {
            let status = |status: &Option<String>| status.clone().unwrap_or_default();
            let note = match line.legal {
                Some(true) => "",
                Some(false) => "illegal",
                None => "redacted",
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {note} |",
                line.seq,
                line.recorded_at,
                status(&line.from),
                status(&line.to),
                cell(&line.actor)
            );
        }
    }
    out.push_str(END);
    out.push('\n');
    out
}

/// The section of a document, its marks included.
fn found(document: &str) -> Option<&str> {
    let from = document.find(BEGIN)?;
    let rest = document.get(from..)?;
    let to = rest.find(END)? + END.len();
    let newline = usize::from(rest.get(to..).is_some_and(|rest| rest.starts_with('\n')));
    rest.get(..to + newline)
}

fn digest(text: &str) -> String {
    schema::package::digest(text)
}

/// Text of a publisher's in a cell of a table: it stays one cell, and is nothing but text.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '|' | '`' | '<' | '>' | '[' | ']' | '*' | '_' | '\\' => {
                out.push('\\');
                out.push(letter);
            }
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64, from: Option<&str>, to: &str, actor: &str) -> HistoryRow {
        HistoryRow {
            seq,
            event_type: String::new(),
            from: from.map(str::to_owned),
            to: Some(to.to_owned()),
            claimed_from: None,
            occurred_at: String::new(),
            recorded_at: "2026-08-01T00:00:00Z".to_owned(),
            actor: actor.to_owned(),
            legal: Some(true),
            redacted: false,
            redaction: None,
        }
    }

    #[test]
    fn a_section_is_found_again_and_holds_nothing_but_text() {
        let lines = vec![
            line(8, None, "provisioning", "ana"),
            line(9, Some("provisioning"), "provisioning", "ana"),
            line(
                10,
                Some("provisioning"),
                "ready",
                "eve | <!-- end -->\n| 11 |",
            ),
        ];
        let section = section(&[("staging".to_owned(), lines)]);
        assert_eq!(section.lines().count(), 10, "{section}");
        assert!(!section.contains("| 9 |"), "nothing changed there");
        let document = format!("# Rollback\n\nText.\n\n{section}\nMore.\n");
        assert_eq!(found(&document), Some(section.as_str()));
        assert_eq!(found("# Rollback"), None);
    }
}

//! What is refused at the door and what is let in to be judged, row by row of the packages' rules.
//!
//! `doors/<package>.toml` has the rows. Each begins with the example of an event, which is accepted, and changes it
//! (JSON merge patch, RFC 7396). Its form is explained in `doors/cluster.toml`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use schema::{Catalog, EventType, LedgerName, Message, Package, Reason};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Door {
    row: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    events: Vec<String>,
    #[serde(default)]
    refused: Vec<Case>,
    #[serde(default)]
    accepted: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    with: Map<String, Value>,
    #[serde(default)]
    without: Vec<String>,
    subject: Option<String>,
    at: Option<String>,
}

fn doors() -> Vec<(PathBuf, Door)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doors");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let parsed = files.map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let door = toml::from_str(&text);
        let door = door.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, door)
    });
    parsed.collect()
}

/// What the door says of an example with a change.
fn said(catalog: &Catalog, event: &str, case: &Case) -> Result<(), String> {
    let parsed = EventType::parse(event).unwrap();
    let found = catalog.event(&parsed);
    let (kind, definition) = found.unwrap_or_else(|| panic!("there is no event {event}"));
    let mut data = definition.example();
    let members = data.as_object_mut().unwrap();
    members.extend(case.with.clone());
    members.retain(|name, _| !case.without.contains(name));
    definition.check(data.to_string().as_bytes())?;
    match &case.subject {
        Some(subject) => kind.check_subject(subject),
        None => Ok(()),
    }
}

#[test]
fn every_row_is_refused_or_let_in() {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap();
    let mut wrong = Vec::new();
    for (path, door) in doors() {
        for row in door.row {
            for event in &row.events {
                for (case, refused) in cases(&row) {
                    let said = said(&catalog, event, case);
                    let wanted = match (&case.at, refused) {
                        (Some(at), true) => Err(at.clone()),
                        (None, false) => Ok(()),
                        _ => panic!("{} {}: `at` is for what is refused", path.display(), row.id),
                    };
                    if said != wanted {
                        let change = (&case.with, &case.without, &case.subject);
                        wrong.push(format!(
                            "{} {event} {change:?}: {said:?}, not {wanted:?}",
                            row.id
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cases(row: &Row) -> impl Iterator<Item = (&Case, bool)> {
    let refused = row.refused.iter().map(|case| (case, true));
    refused.chain(row.accepted.iter().map(|case| (case, false)))
}

#[test]
fn a_subject_that_its_field_would_refuse_is_refused_when_a_message_is_read() {
    let catalog = Catalog::of(
        &Package::builtin().expect("the built-in packages load"),
        json!({}),
    )
    .unwrap();
    let read = |subject: &str| {
        let body = json!({
            "specversion": "1.0", "id": "1", "source": "urn:ansible", "subject": subject,
            "type": "cluster.provisioning_run.failed", "data": {"reason": "no power"},
        });
        let message = Message {
            nats_subject: "ledger.main.ingest.ansible.cluster.provisioning_run.failed".to_owned(),
            headers: Vec::new(),
            body: body.to_string().into(),
            stream_seq: 1,
            time_us: 0,
        };
        let read = schema::read(&message, &LedgerName::new("main").unwrap(), &catalog);
        read.map(|event| event.subject)
    };
    let run = "0f8fad5b-d9cb-469f-a165-70867728950e";
    assert_eq!(read(run).as_deref(), Ok(run));
    let refused = read("run-42").unwrap_err();
    assert_eq!(
        (refused.reason, refused.at.as_str()),
        (Reason::DataInvalid, "/run_id")
    );
}

//! An event of the chain as it goes out: a `CloudEvent` in structured mode, and its subjects.

use bytes::Bytes;
use ledger::Record;
use schema::{EventType, LedgerName};
use serde_json::{Map, Value};

/// What we add; a publisher's attribute of the same name is not repeated.
const OURS: [&str; 5] = [
    "ledgerseq",
    "ledgerrecorded",
    "ledgerpublisher",
    "ledgerredacted",
    "ledgeromitted",
];

/// What of a refused message makes its event large: what was received, in base64.
const RECEIVED: [&str; 2] = ["headers", "body"];

/// Writes the event with `data`'s bytes as they were received. Where data and salt were deleted, `data` is
/// absent and `ledgerredacted` is `true`.
pub fn structured(record: &Record) -> Bytes {
    let mut bytes = attributes(record).into_bytes();
    match &record.body {
        Some(body) => {
            bytes.extend_from_slice(br#","datacontenttype":"application/json","data":"#);
            bytes.extend_from_slice(&body.data);
        }
        None => bytes.extend_from_slice(br#","ledgerredacted":true"#),
    }
    bytes.push(b'}');
    bytes.into()
}

/// The same within `most` bytes, as far as that goes: of a refused message what was received is left out, of any other
/// event the data, and `ledgeromitted` says so. The whole of it is in the chain. A publisher's message must not keep back
/// what comes after it because the server takes nothing as large as its receipt.
pub fn within(record: &Record, most: usize) -> Bytes {
    let whole = structured(record);
    if whole.len() <= most {
        return whole;
    }
    let mut text = attributes(record);
    let data = record.body.as_ref();
    let data = data.and_then(|body| serde_json::from_slice::<Map<String, Value>>(&body.data).ok());
    match data {
        Some(mut data)
            if record.header.event_type == "ledger.event.quarantined"
                && RECEIVED.iter().any(|name| data.contains_key(*name)) =>
        {
            data.retain(|name, _| !RECEIVED.contains(&name.as_str()));
            member(&mut text, "ledgeromitted", &RECEIVED.join(" "));
            text.push_str(r#","datacontenttype":"application/json","data":"#);
            text.push_str(&Value::from(data).to_string());
        }
        _ => member(&mut text, "ledgeromitted", "data"),
    }
    text.push('}');
    text.into()
}

/// The event up to its data, without the closing brace.
fn attributes(record: &Record) -> String {
    let header = &record.header;
    let mut text = String::with_capacity(512);
    text.push_str(r#"{"specversion":"1.0""#);
    member(&mut text, "id", &header.id);
    member(&mut text, "source", &header.source);
    member(&mut text, "type", &header.event_type);
    if !header.subject.is_empty() {
        member(&mut text, "subject", &header.subject);
    }
    member(
        &mut text,
        "time",
        &schema::time::format_us(header.occurred_us),
    );
    if !header.actor.is_empty() {
        member(&mut text, "authid", &header.actor);
    }
    if let Ok(context) = serde_json::from_str::<Map<String, Value>>(&header.context) {
        for (name, value) in &context {
            if !OURS.contains(&name.as_str()) {
                member(&mut text, name, value.as_str().unwrap_or_default());
            }
        }
    }
    text.push_str(r#","ledgerseq":"#);
    text.push_str(&header.seq.to_string());
    let recorded = schema::time::format_us(header.recorded_us);
    member(&mut text, "ledgerrecorded", &recorded);
    member(&mut text, "ledgerpublisher", &header.publisher);
    text
}

fn member(text: &mut String, name: &str, value: &str) {
    text.push_str(",\"");
    text.push_str(name);
    text.push_str("\":");
    // A string always has a JSON form.
    text.push_str(&Value::from(value).to_string());
}

/// What stands for the publisher in outgoing subjects.
fn publisher(record: &Record) -> &str {
    match record.header.publisher.as_str() {
        "" => "_",
        name => name,
    }
}

/// The subject of an event's receipt.
pub(crate) fn receipt_subject(ledger: &LedgerName, record: &Record) -> String {
    let event_type = EventType::parse(&record.header.event_type);
    let event_type = event_type.map_or_else(|| "_._._".to_owned(), |known| known.unversioned());
    format!("ledger.{ledger}.event.{}.{event_type}", publisher(record))
}

/// What the subject of an incident's later events needs to know of the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// Its severity.
    pub severity: String,
    /// The kind of the entity that it is about.
    pub kind: String,
}

/// Where an event goes besides its receipt, if anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Special {
    /// To this subject.
    Subject(String),
    /// `ledger.<ledger>.incident.<state>.<severity>.<package>.<entity>` of the incident of this id.
    Incident {
        /// `acknowledged` or `resolved`.
        state: &'static str,
        /// The incident's id: that of the event which opened it.
        id: String,
    },
}

/// Where an event goes besides its receipt: refused input, verdicts, and what becomes of incidents.
pub fn special(ledger: &LedgerName, record: &Record) -> Option<Special> {
    let event_type = EventType::parse(&record.header.event_type)?.unversioned();
    let data: Value = record
        .body
        .as_ref()
        .and_then(|body| serde_json::from_slice(&body.data).ok())
        .unwrap_or(Value::Null);
    let word = |name: &str| {
        data.get(name)
            .and_then(Value::as_str)
            .filter(|word| is_subject(word))
    };
    let ours = record.header.publisher == "ledger";
    let subject = match event_type.as_str() {
        "ledger.event.quarantined" => format!("ledger.{ledger}.quarantine.{}", publisher(record)),
        "ledger.violation.raised" if ours => {
            format!(
                "ledger.{ledger}.violation.{}.{}",
                word("severity")?,
                word("rule")?
            )
        }
        "ledger.incident.opened" if ours => {
            let incident = Incident {
                severity: word("severity")?.to_owned(),
                kind: word("kind")?.to_owned(),
            };
            incident_subject(ledger, "opened", &incident)
        }
        "ledger.incident.acknowledged" | "ledger.incident.resolved" => {
            let state = if event_type.ends_with("resolved") {
                "resolved"
            } else {
                "acknowledged"
            };
            // The subject says it too, and stays when the data are deleted.
            let id = word("incident").unwrap_or(&record.header.subject);
            let id = id.to_owned();
            return Some(Special::Incident { state, id });
        }
        _ => return None,
    };
    Some(Special::Subject(subject))
}

/// The incident that an event opens, if it is one that does. Its id is the event's.
pub fn opened(record: &Record) -> Option<Incident> {
    let event_type = EventType::parse(&record.header.event_type)?.unversioned();
    if event_type != "ledger.incident.opened" {
        return None;
    }
    let data: Value = serde_json::from_slice(&record.body.as_ref()?.data).ok()?;
    let word = |name: &str| {
        let word = data.get(name)?.as_str();
        word.filter(|word| is_subject(word)).map(str::to_owned)
    };
    Some(Incident {
        severity: word("severity")?,
        kind: word("kind")?,
    })
}

/// The subject of what becomes of an incident.
pub(crate) fn incident_subject(ledger: &LedgerName, state: &str, incident: &Incident) -> String {
    format!(
        "ledger.{ledger}.incident.{state}.{}.{}",
        incident.severity, incident.kind
    )
}

/// Whether text can stand in a subject as it is, dots and all.
fn is_subject(text: &str) -> bool {
    let legal =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
    !text.is_empty()
        && text.len() <= 200
        && text.bytes().all(legal)
        && text.split('.').all(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Header;
    use ledger::record::Body;

    fn record(event_type: &str, publisher: &str, data: &str) -> Record {
        Record {
            header: Header {
                seq: 7,
                source: "s \"q\"".into(),
                id: "1".into(),
                event_type: event_type.into(),
                publisher: publisher.into(),
                context: r#"{"ledgerseq":"9","traceparent":"x"}"#.into(),
                ..Header::default()
            },
            data_commitment: [0; 32],
            event_hash: [0; 32],
            chain: [0; 32],
            body: Some(Body {
                salt: [0; 32],
                data: Bytes::copy_from_slice(data.as_bytes()),
            }),
        }
    }

    #[test]
    fn data_goes_out_byte_for_byte() {
        let mut one = record("a.b.c.v1", "ci", "{ \"n\" : 1e2 }");
        let text = String::from_utf8(structured(&one).to_vec()).expect("text");
        assert!(text.ends_with(r#""data":{ "n" : 1e2 }}"#), "{text}");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value["ledgerseq"], 7);
        assert_eq!(value["traceparent"], "x");
        assert_eq!(value["source"], "s \"q\"");
        assert_eq!(text.matches("ledgerseq").count(), 1);
        one.body = None;
        let value: Value = serde_json::from_slice(&structured(&one)).expect("JSON");
        assert_eq!(value["ledgerredacted"], true);
        assert!(value.get("data").is_none());
    }

    #[test]
    fn subjects() {
        let main = LedgerName::new("main").expect("a name");
        let one = record("a.b.c.v2", "ci", "{}");
        assert_eq!(receipt_subject(&main, &one), "ledger.main.event.ci.a.b.c");
        let gap = record("ledger.stream.gap", "", "{}");
        assert_eq!(
            receipt_subject(&main, &gap),
            "ledger.main.event._.ledger.stream.gap"
        );
        let refused = record("ledger.event.quarantined", "", "{}");
        let to = |text: &str| Some(Special::Subject(text.to_owned()));
        assert_eq!(special(&main, &refused), to("ledger.main.quarantine._"));
        let verdict = r#"{"severity":"error","rule":"run.too_long"}"#;
        let raised = record("ledger.violation.raised", "ledger", verdict);
        assert_eq!(
            special(&main, &raised),
            to("ledger.main.violation.error.run.too_long")
        );
        let strange = record(
            "ledger.violation.raised",
            "ledger",
            r#"{"severity":"error","rule":"a.>"}"#,
        );
        assert_eq!(special(&main, &strange), None);
    }
}

//! JSON in the one form of RFC 8785, which the ledger writes and hashes itself.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::message::Message;
use crate::refusal::{Reason, Refusal};

/// A value in the form of RFC 8785: members sorted by UTF-16, no white space, numbers as ECMAScript has them.
///
/// Numbers are doubles there: an integer beyond 2⁵³ is not kept exactly, so none is written by the ledger.
pub fn to_bytes(value: &Value) -> Vec<u8> {
    to_text(value).into_bytes()
}

/// As [`to_bytes`], as text.
pub fn to_text(value: &Value) -> String {
    // The canonicalizer fails on numbers that are not finite alone, which a `Value` cannot hold.
    serde_json_canonicalizer::to_string(value).unwrap_or_default()
}

/// The data of `ledger.event.quarantined` for a message that was refused (FORMATS.md 1).
///
/// What was too large leaves neither headers nor body, what looks like a secret leaves nothing but the reason.
pub fn quarantine_data(message: &Message, refusal: &Refusal) -> Vec<u8> {
    let mut data = Map::new();
    data.insert("reason".to_owned(), refusal.reason.as_str().into());
    if refusal.reason != Reason::SecretSuspected {
        data.insert("at".to_owned(), refusal.at.as_str().into());
        data.insert(
            "nats_subject".to_owned(),
            message.nats_subject.as_str().into(),
        );
        data.insert("size".to_owned(), message.body.len().into());
        if refusal.reason != Reason::SizeExceeded {
            data.insert("headers".to_owned(), headers(message));
            data.insert("body".to_owned(), STANDARD.encode(&message.body).into());
        }
    }
    to_bytes(&Value::Object(data))
}

fn headers(message: &Message) -> Value {
    let mut headers: Vec<_> = message.headers.iter().collect();
    // Stable: values of one name stay in the order received.
    headers.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
    headers
        .iter()
        .map(|(name, value)| json!([name, STANDARD.encode(value)]))
        .collect()
}

/// Appends a string in the form of RFC 8785.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    if !text
        .bytes()
        .any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
    {
        out.push_str(text);
        out.push('"');
        return;
    }
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            control @ '\0'..'\u{20}' => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn message() -> Message {
        Message {
            nats_subject: "ledger.main.ingest.ci.a.b.c".to_owned(),
            headers: vec![
                ("b".to_owned(), Bytes::from_static(b"2")),
                ("B".to_owned(), Bytes::from_static(b"\xff")),
                ("b".to_owned(), Bytes::from_static(b"1")),
            ],
            body: Bytes::from_static(b"{}"),
            stream_seq: 1,
            time_us: 0,
        }
    }

    fn written(reason: Reason, at: &str) -> String {
        let bytes = quarantine_data(
            &message(),
            &Refusal {
                reason,
                at: at.to_owned(),
            },
        );
        String::from_utf8(bytes).expect("JSON is UTF-8")
    }

    #[test]
    fn a_quarantined_message_is_kept_whole() {
        assert_eq!(
            written(Reason::DataInvalid, "/a"),
            r#"{"at":"/a","body":"e30=","headers":[["B","/w=="],["b","Mg=="],["b","MQ=="]],"#
                .to_owned()
                + r#""nats_subject":"ledger.main.ingest.ci.a.b.c","reason":"data.invalid","size":2}"#
        );
    }

    #[test]
    fn what_is_too_large_leaves_no_bytes_and_a_secret_nothing() {
        assert_eq!(
            written(Reason::SizeExceeded, ""),
            r#"{"at":"","nats_subject":"ledger.main.ingest.ci.a.b.c","reason":"size.exceeded","size":2}"#
        );
        assert_eq!(
            written(Reason::SecretSuspected, ""),
            r#"{"reason":"payload.secret_suspected"}"#
        );
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .expect("the RFC's example");
        assert_eq!(
            String::from_utf8(to_bytes(&value)).expect("JSON is UTF-8"),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
                .to_owned()
                + r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
    }

    proptest! {
        #[test]
        fn strings_are_written_alike(text in any::<String>()) {
            let mut ours = String::new();
            push_string(&mut ours, &text);
            prop_assert_eq!(ours.into_bytes(), to_bytes(&Value::String(text)));
        }
    }
}

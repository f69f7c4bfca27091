//! The first reason that applies is given, and `at` names the place.

use schema::Reason;

use crate::{SUBJECT, binary, message, read, refused, secret, structured, with};

fn reason(body: &str) -> Option<Reason> {
    structured(body).err().map(|refusal| refusal.reason)
}

/// Breaks one rule after the other; every one hides those after it.
#[test]
fn each_reason_hides_the_later_ones() {
    let large = format!(r#","x":"{}""#, "x".repeat(5000));
    // From the last reason to the first. Each piece is one more member of the envelope.
    let pieces = [
        (Reason::DataInvalid, r#","data":{"name":1}"#.to_owned()),
        (Reason::EnvelopeAttribute, r#","authid":"""#.to_owned()),
        (Reason::JsonNumber, r#","y":1e400"#.to_owned()),
        (Reason::JsonDuplicateKey, r#","z":{"a":1,"a":2}"#.to_owned()),
        (
            Reason::JsonDepth,
            format!(r#","d":{}{}"#, "[".repeat(64), "]".repeat(64)),
        ),
        (Reason::JsonEncoding, r#","data":{"s":"\u0000"}"#.to_owned()),
        (Reason::SizeExceeded, large),
        (Reason::SecretSuspected, format!(r#","s":"{}""#, secret())),
    ];
    let mut members = String::new();
    for (expected, piece) in pieces {
        members.push_str(&piece);
        assert_eq!(reason(&with(&members)), Some(expected));
    }
    // Without its mode, only what comes before counts.
    let no_mode = format!("[{}]", with(&members));
    assert_eq!(reason(&no_mode), Some(Reason::SecretSuspected));
    assert_eq!(
        reason(&no_mode.replace(&secret(), "")),
        Some(Reason::EnvelopeMode)
    );
}

#[test]
fn broken_syntax_hides_what_it_breaks_but_not_encoding() {
    let broken = |members: &str| format!("{}x", with(members));
    assert_eq!(reason(&broken("")), Some(Reason::JsonSyntax));
    assert_eq!(
        reason(&broken(r#","data":{"s":"\ud800"}"#)),
        Some(Reason::JsonEncoding)
    );
    let large = "x".repeat(300_000);
    assert_eq!(
        reason(&broken(&format!(r#","data":{{"note":"{large}"}}"#))),
        Some(Reason::JsonSyntax)
    );
    let bytes = [with("").as_bytes(), b"\xFF"].concat();
    let found = read(&message(SUBJECT, &[], bytes));
    assert_eq!(found, refused(Reason::JsonEncoding, ""));
    assert_eq!(
        reason(&format!("\u{feff}{}", with(""))),
        Some(Reason::JsonEncoding)
    );
    assert_eq!(read(&binary(&[], "")), refused(Reason::JsonSyntax, ""));
}

#[test]
fn sizes() {
    let data = |length: usize| {
        let open = r#"{"note":""#;
        format!("{open}{}\"}}", "x".repeat(length - open.len() - 2))
    };
    let member = |length: usize| with(&format!(",\"data\":{}", data(length)));
    assert!(structured(&member(256 * 1024)).is_ok());
    assert_eq!(
        structured(&member(256 * 1024 + 1)),
        refused(Reason::SizeExceeded, "")
    );
    assert!(read(&binary(&[], &data(256 * 1024))).is_ok());
    assert_eq!(
        read(&binary(&[], &data(256 * 1024 + 1))),
        refused(Reason::SizeExceeded, "")
    );
    // Binary data is as large as it is, whatever it is.
    let noise = "x".repeat(256 * 1024 + 1);
    assert_eq!(
        read(&binary(&[], &noise)),
        refused(Reason::SizeExceeded, "")
    );

    let padded = |length: usize| {
        let body = with(r#","data":{}"#);
        format!("{}{body}", " ".repeat(length - body.len()))
    };
    assert!(structured(&padded(512 * 1024)).is_ok());
    assert_eq!(
        structured(&padded(512 * 1024 + 1)),
        refused(Reason::SizeExceeded, "")
    );
    assert_eq!(
        structured(&"x".repeat(512 * 1024 + 1)),
        refused(Reason::SizeExceeded, "")
    );

    let context = |length: usize| {
        with(&format!(
            r#","x":"{}","data":{{}}"#,
            "x".repeat(length - r#"{"x":""}"#.len())
        ))
    };
    let event = structured(&context(4096)).expect("it fits");
    assert_eq!(event.context.len(), 4096);
    assert_eq!(
        structured(&context(4097)),
        refused(Reason::SizeExceeded, "")
    );
}

#[test]
fn modes() {
    let body = with(r#","data":{}"#);
    let none = r#"{"id":"1"}"#;
    let missing = refused(Reason::EnvelopeAttribute, "specversion");
    for (headers, body, expected) in [
        (
            &[][..],
            " \n\t\r{\"specversion\":\"1.0\"}",
            refused(Reason::EnvelopeAttribute, "id"),
        ),
        (&[], none, refused(Reason::EnvelopeMode, "")),
        (&[], "[\"specversion\"]", refused(Reason::EnvelopeMode, "")),
        (&[], "", refused(Reason::EnvelopeMode, "")),
        (
            &[("CONTENT-TYPE", "application/CloudEvents")],
            none,
            missing.clone(),
        ),
        (
            &[("content-type", "application/cloudevents+json")],
            "[]",
            missing.clone(),
        ),
        (
            &[("content-type", "application/cloudevents-batch")],
            none,
            refused(Reason::EnvelopeMode, ""),
        ),
        (
            &[("content-type", "application/json")],
            none,
            refused(Reason::EnvelopeMode, ""),
        ),
        (
            &[("CE-SpecVersion", "1.0")],
            &body,
            refused(Reason::EnvelopeAttribute, "id"),
        ),
        (
            &[
                ("ce-specversion", "0.3"),
                ("Content-Type", "application/cloudevents+json"),
            ],
            none,
            missing.clone(),
        ),
        (
            &[
                ("ce-specversion", "1.0"),
                ("Content-Type", "application/cloudevents-batch+json"),
            ],
            none,
            refused(Reason::EnvelopeAttribute, "datacontenttype"),
        ),
    ] {
        assert_eq!(
            read(&message(SUBJECT, headers, body.to_owned())),
            expected,
            "{headers:?} {body}"
        );
    }
}

#[test]
fn pointers_of_json() {
    for (body, reason, at) in [
        (
            with(r#","data":{"a":[0,{"b":1,"b":2}]}"#),
            Reason::JsonDuplicateKey,
            "/data/a/1/b",
        ),
        (with(r#","id":"2""#), Reason::JsonDuplicateKey, "/id"),
        (
            with(r#","data":{"a":[0,{"b":1e999}]}"#),
            Reason::JsonNumber,
            "/data/a/1/b",
        ),
        (
            with(r#","sequence":9223372036854775808"#),
            Reason::JsonNumber,
            "/sequence",
        ),
        (
            with(r#","data":{"quota":[],"name":{"y/z":1}}"#),
            Reason::DataInvalid,
            "/quota",
        ),
    ] {
        assert_eq!(structured(&body), refused(reason, at), "{body}");
    }
    let found = read(&binary(&[], r#"{"a":{"b":1,"\u0062":2}}"#));
    assert_eq!(found, refused(Reason::JsonDuplicateKey, "/a/b"));
    assert_eq!(
        read(&binary(&[], r#"{"a":[1e999]}"#)),
        refused(Reason::JsonNumber, "/a/0")
    );
}

#[test]
fn offending_attributes_of_structured_messages() {
    let long = |name: &str, length: usize| format!(r#","{name}":"{}""#, "é".repeat(length));
    for (members, at) in [
        (r#","data":[]"#, "data"),
        (r#","data":null"#, "data"),
        ("", "data"),
        (r#","data":{},"data_base64":"e30=""#, "data_base64"),
        (r#","data":{},"Foo":"x""#, "Foo"),
        (r#","data":{},"":"x""#, ""),
        (r#","data":{},"foo_bar":1"#, "foo_bar"),
        (r#","data":{},"foo":"a\u0000""#, "foo"),
        (r#","data":{},"foo":"a\ud800""#, "foo"),
        (r#","data":{},"foo":"a\u001f""#, "foo"),
        (r#","data":{},"foo":"a\u007f""#, "foo"),
        (r#","data":{},"foo":{}"#, "foo"),
        (r#","data":{},"foo":[]"#, "foo"),
        (r#","data":{},"foo":2147483648"#, "foo"),
        (r#","data":{},"foo":1.0"#, "foo"),
        (r#","data":{},"foo":1e1"#, "foo"),
        (r#","data":{},"authid":7"#, "authid"),
        (r#","data":{},"authid":"""#, "authid"),
        (r#","data":{},"time":"yesterday""#, "time"),
        (r#","data":{},"time":1785704401"#, "time"),
        (
            r#","data":{},"datacontenttype":"text/plain""#,
            "datacontenttype",
        ),
        (
            r#","data":{},"datacontenttype":"application/jsonx""#,
            "datacontenttype",
        ),
        // The first in document order, before what is missing, and data last.
        (r#","data":[],"b":[],"a":[]"#, "b"),
        (&long("authid", 257), "authid"),
    ] {
        let found = structured(&with(members));
        assert_eq!(found, refused(Reason::EnvelopeAttribute, at), "{members}");
    }
    for (body, at) in [
        (r#"{"specversion":"1.0"}"#, "id"),
        (r#"{"specversion":"1.0","id":null,"source":"x"}"#, "id"),
        (r#"{"specversion":"1.0","id":"1"}"#, "source"),
        (r#"{"specversion":"1.0","id":"1","source":"x"}"#, "type"),
        (
            r#"{"specversion":"1.0","id":"1","source":"x","type":"a"}"#,
            "subject",
        ),
        (
            r#"{"specversion":"1.0","id":"1","source":"x","type":"a","subject":"s"}"#,
            "data",
        ),
        (r#"{"specversion":"1.1"}"#, "specversion"),
        (r#"{"specversion":1}"#, "specversion"),
        (r#"{"specversion":"1.0","id":""}"#, "id"),
        (r#"{"specversion":"1.0","id":1}"#, "id"),
        (r#"{"specversion":"1.0","source":"a b"}"#, "source"),
        (r#"{"specversion":"1.0","source":""}"#, "source"),
        (r#"{"specversion":"1.0","source":"http://[1"}"#, "source"),
    ] {
        assert_eq!(
            structured(body),
            refused(Reason::EnvelopeAttribute, at),
            "{body}"
        );
    }
}

#[test]
fn lengths_are_characters() {
    let named = |id: usize, subject: usize| {
        format!(
            r#"{{"specversion":"1.0","id":"{}","source":"urn:tf","type":"platform.environment.created","subject":"{}","data":{{}}}}"#,
            "é".repeat(id),
            "😀".repeat(subject)
        )
    };
    assert!(structured(&named(128, 256)).is_ok());
    assert_eq!(
        structured(&named(129, 256)),
        refused(Reason::EnvelopeAttribute, "id")
    );
    assert_eq!(
        structured(&named(128, 257)),
        refused(Reason::EnvelopeAttribute, "subject")
    );
    let of_ledger = |length: usize| {
        named(1, length).replace("platform.environment.created", "ledger.hold.placed")
    };
    assert_eq!(
        structured(&of_ledger(512)),
        refused(Reason::SubjectMismatch, "")
    );
    assert_eq!(
        structured(&of_ledger(513)),
        refused(Reason::EnvelopeAttribute, "subject")
    );
}

#[test]
fn offending_attributes_of_binary_messages() {
    let attribute = |at: &str| refused(Reason::EnvelopeAttribute, at);
    for (headers, at) in [
        (&[("ce-id", "2")][..], "id"),
        (&[("CE-ID", "1")], "id"),
        (&[("ce-foo", "%")], "foo"),
        (&[("ce-foo", "%4")], "foo"),
        (&[("ce-foo", "a%zzb")], "foo"),
        (&[("ce-foo", "%ff")], "foo"),
        (&[("ce-foo", "%0a")], "foo"),
        (&[("ce-foo", "%7F")], "foo"),
        (&[("ce-foo-bar", "x")], "foo-bar"),
        (&[("ce-", "x")], ""),
        (&[("ce-data", "{}")], "data"),
        (&[("ce-z", "%"), ("ce-B", "%")], "b"),
        (&[("Content-Type", "text/plain")], "datacontenttype"),
        (
            &[
                ("Content-Type", "application/json"),
                ("ce-datacontenttype", "application/json"),
            ],
            "datacontenttype",
        ),
        (&[("ce-time", "2016-12-31T23:59:60Z")], "time"),
    ] {
        assert_eq!(read(&binary(headers, "{}")), attribute(at), "{headers:?}");
    }
    let mut bytes = binary(&[], "{}");
    bytes
        .headers
        .push(("ce-foo".to_owned(), b"\xFF"[..].into()));
    assert_eq!(read(&bytes), attribute("foo"));
    for body in ["[]", "1", "\"{}\"", "null"] {
        assert_eq!(read(&binary(&[], body)), attribute("data"), "{body}");
    }
    for headers in [
        &[("Content-Type", "Application/JSON ; charset=utf-8")][..],
        &[("ce-datacontenttype", "application/json")],
        &[("other", "%"), ("foo", "\u{7f}")],
    ] {
        assert!(read(&binary(headers, "{}")).is_ok(), "{headers:?}");
    }
}

#[test]
fn headers_of_different_letters_have_no_order() {
    let large = "x".repeat(5000);
    for headers in [
        [("ce-fill", large.as_str()), ("CE-Fill", "x")],
        [("CE-Fill", "x"), ("ce-fill", large.as_str())],
    ] {
        let found = read(&binary(&headers, "{}"));
        assert_eq!(found, refused(Reason::EnvelopeAttribute, "fill"));
    }
}

#[test]
fn times_in_data_are_those_of_the_envelope() {
    let at = |time: &str| structured(&with(&format!(r#","data":{{"at":"{time}"}}"#)));
    assert!(at("2026-08-02t23:00:01.1234567+02:00").is_ok());
    for time in ["2016-12-31T23:59:60Z", "2026-08-02 21:00:01Z", "2026-08-02"] {
        assert_eq!(at(time), refused(Reason::DataInvalid, "/at"), "{time}");
    }
}

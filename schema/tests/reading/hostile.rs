//! Nothing that is sent panics or takes long, and the two modes say the same.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use schema::canonical::quarantine_data;
use schema::{Message, Refusal};
use serde_json::{Map, Value, json};

use crate::{SUBJECT, message, read, with};

/// Reads it; a refusal must have data of its own that is JSON.
fn survives(message: &Message) {
    if let Err(refusal) = read(message) {
        let data = quarantine_data(message, &refusal);
        assert!(serde_json::from_slice::<Map<String, Value>>(&data).is_ok());
    }
}

fn header() -> impl Strategy<Value = (String, Bytes)> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "ce-specversion",
            "ce-id",
            "CE-Type",
            "Content-Type",
            "ce-",
            "ce-x"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let value = prop_oneof![
        prop::sample::select(vec![
            "1.0",
            "application/cloudevents",
            "application/json",
            "%",
            "%41%",
            "x"
        ])
        .prop_map(|text| Bytes::from_static(text.as_bytes())),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
    ];
    (name, value)
}

/// An attribute's value that is legal in both modes.
fn attribute() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        text.chars()
            .filter(|c| !c.is_ascii_control())
            .take(60)
            .chain(['x'])
            .collect()
    })
}

proptest! {
    #[test]
    fn arbitrary_messages(
        subject in prop_oneof![Just(SUBJECT.to_owned()), any::<String>()],
        headers in prop::collection::vec(header(), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        survives(&Message { nats_subject: subject, headers, body: body.into(), stream_seq: 1, time_us: 0 });
    }

    #[test]
    fn changed_messages(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        binary: bool,
    ) {
        let (headers, mut body): (&[(&str, &str)], _) = if binary {
            (&[("ce-specversion", "1.0"), ("ce-id", "1")], r#"{"name":"a","quota":{"cpu":1e2}}"#.to_owned().into_bytes())
        } else {
            (&[], with(r#","time":"2026-08-02T21:00:01.5Z","sequence":7,"data":{"name":"\u00e9","quota":{"cpu":[1e2,null]}}"#).into_bytes())
        };
        for (index, byte, insert) in changes {
            let at = index.index(body.len());
            if insert { body.insert(at, byte) } else { body[at] = byte }
        }
        survives(&message(SUBJECT, headers, body));
    }

    #[test]
    fn both_modes_say_the_same(
        id in attribute(), subject in attribute(), actor in proptest::option::of(attribute()),
        context in prop::collection::btree_map("[f-r][0-9a-z]{0,8}", attribute(), 0..4),
        fraction in 0_u32..1_000_000, data in any::<Option<String>>(),
    ) {
        let mut attributes: Map<String, Value> = context.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        for name in ["id", "source", "time", "type", "subject", "data", "authid", "specversion", "datacontenttype"] {
            attributes.remove(name);
        }
        attributes.insert("specversion".into(), json!("1.0"));
        attributes.insert("id".into(), json!(id));
        attributes.insert("source".into(), json!("urn:tf"));
        attributes.insert("subject".into(), json!(subject));
        attributes.insert("type".into(), json!("platform.environment.created"));
        attributes.insert("time".into(), json!(format!("2026-08-02T23:00:01.{fraction:06}+02:00")));
        if let Some(actor) = actor {
            attributes.insert("authid".into(), json!(actor));
        }
        // A control character in data is escaped; NUL is refused, in both modes alike.
        let data = json!({ "note": data }).to_string();
        let headers = attributes.iter().map(|(name, value)| {
            let value = value.as_str().expect("text");
            let value = percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string();
            (format!("Ce-{name}"), Bytes::from(value))
        });
        let binary = Message { headers: headers.collect(), ..message(SUBJECT, &[], data.clone()) };
        let envelope = serde_json::to_string(&attributes).expect("JSON");
        let envelope = envelope.strip_suffix('}').expect("an object");
        let structured = message(SUBJECT, &[], format!("{envelope}, \"data\" : {data} }}"));
        let (structured, binary) = (read(&structured), read(&binary));
        prop_assert_eq!(&structured, &binary);
        let expect_refusal = data.contains("\\u0000");
        prop_assert_eq!(structured.is_err(), expect_refusal);
        if let Ok(event) = structured {
            prop_assert_eq!(&event.data[..], data.as_bytes());
            prop_assert_eq!(event.occurred_us, Some(1_785_704_401_000_000 + i64::from(fraction)));
        }
    }
}

/// Each takes milliseconds where it is built for speed, and a tenth of a second in this build; ten seconds would
/// mean that the time is not near-linear.
#[test]
fn large_messages_take_little_time() {
    let many = |piece: &str, length: usize| piece.repeat(length / piece.len());
    let keys: Vec<_> = (0..40_000).map(|n| format!("\"{n:x}\":0")).collect();
    let attributes: Vec<_> = (0..20_000).map(|n| format!("\"a{n}\":\"\"")).collect();
    for body in [
        with(&format!(r#","data":{{{}}}"#, keys.join(","))),
        with(&format!(r#","data":{}"#, many("[", 500_000))),
        with(&format!(",{}", attributes.join(","))),
        with(&format!(r#","id":"{}""#, many("é", 500_000))),
        with(&format!(r#","source":"{}""#, many("%41", 500_000))),
        with(&format!(
            r#","data":{{"note":"{}"}}"#,
            many("\\u0041", 200_000)
        )),
        with(&format!(
            r#","data":{{"note":"{}"}}"#,
            many("://a:b", 200_000)
        )),
        with(&format!(
            r#","data":{{"note":"{}"}}"#,
            many("eyJhbGciOiJIUzI1NiJ9.", 200_000)
        )),
        with(&format!(
            r#","data":{{"note":"{}"}}"#,
            many("?sig=${A}&", 200_000)
        )),
        with(&format!(
            r#","data":{{"note":"{}"}}"#,
            many("-----BEGIN ", 200_000)
        )),
        many("\"\\", 500_000),
        many("{\"specversion\":", 500_000),
    ] {
        let start = Instant::now();
        survives(&message(SUBJECT, &[], body.clone()));
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:.60}… took {:?}",
            body,
            start.elapsed()
        );
    }
    let headers: Vec<_> = (0..20_000)
        .map(|n| (format!("ce-a{}", n % 1000), Bytes::from_static(b"%41")))
        .collect();
    let start = Instant::now();
    let crowded = Message {
        headers,
        ..message(SUBJECT, &[("ce-specversion", "1.0")], "{}")
    };
    let found = read(&crowded);
    assert!(matches!(found, Err(Refusal { .. })));
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "took {:?}",
        start.elapsed()
    );
}

//! The JSON reader beside `serde_json`, and against hostile documents.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use schema::json::{Holds, pointer, scan};
use serde_json::Value;

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..40)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// JSON and almost JSON.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"\\u0061\"",
        "\"\\ud83d\\ude00\"",
        "\\",
        "\\n",
        "0",
        "-0",
        "01",
        "1.5",
        "1.",
        "1e5",
        "1E-7",
        ".5",
        "-",
        "+1",
        "null",
        "true",
        "false",
        "nul",
        " ",
        "\n",
        "\t",
        "é",
        "\u{1}",
        "\"x\":1",
        "{\"a\":1}",
        "[1,2]",
        "{}",
        "[]",
        "\u{7f}",
        "\"\\x\"",
        "\"\\u12\"",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

proptest! {
    #[test]
    fn whole_documents_are_whole(value in document(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.expect("a value is JSON");
        let scan = scan(text.as_bytes(), Holds::Data);
        prop_assert!(!scan.syntax && !scan.depth);
        prop_assert_eq!(scan.duplicate, None);
        prop_assert_eq!(scan.number, None);
        prop_assert_eq!(scan.encoding, serde_json::to_string(&value).expect("JSON").contains("\\u0000"));
        prop_assert_eq!(scan.object, value.is_object());
        let members = value.as_object().map(serde_json::Map::len).unwrap_or_default();
        prop_assert_eq!(scan.members.len(), members);
        for member in &scan.members {
            let key = std::str::from_utf8(&member.key).expect("no surrogates here");
            let theirs = value.get(key).expect("the same keys");
            let ours: Value = serde_json::from_slice(member.value).expect("a member's value is JSON");
            prop_assert_eq!(&ours, theirs);
            prop_assert_eq!(member.value.trim_ascii(), member.value);
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_judged_alike(value in document(), at: prop::sample::Index, with in "[{}\\[\\],:\"\\\\0-9a-z ]?") {
        let text = serde_json::to_string(&value).expect("a value is JSON");
        let place = text.char_indices().map(|(place, _)| place).nth(at.index(text.chars().count())).unwrap_or(0);
        let next = text.get(place..).and_then(|rest| rest.chars().next()).map_or(place, |c| place + c.len_utf8());
        let changed = format!("{}{with}{}", &text[..place], &text[next..]);
        prop_assert_eq!(!scan(changed.as_bytes(), Holds::Data).syntax, is_json(&changed), "{}", changed);
    }

    #[test]
    fn almost_json_is_judged_alike(text in fragments()) {
        let scan = scan(text.as_bytes(), Holds::Data);
        // RawValue is read without looking at numbers' sizes or at surrogates, as syntax is here.
        prop_assert_eq!(!scan.syntax, is_json(&text), "{}", text);
    }

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let found = scan(&bytes, Holds::Attributes);
        for offset in [found.duplicate, found.number].into_iter().flatten() {
            let _ = pointer(&bytes, offset);
        }
    }

    #[test]
    fn a_key_put_twice_is_found(keys in prop::collection::hash_set("[a-c/~]{0,4}", 2..60), which: prop::sample::Index) {
        let keys: Vec<_> = keys.into_iter().collect();
        let again = &keys[which.index(keys.len())];
        let members: Vec<_> = keys.iter().chain([again]).map(|key| format!("{}: 1", Value::from(key.as_str()))).collect();
        let text = format!(r#"{{"x": [0, {{{}}}]}}"#, members.join(","));
        let at = scan(text.as_bytes(), Holds::Data).duplicate.expect("a key stands there twice");
        let escaped = again.replace('~', "~0").replace('/', "~1");
        prop_assert_eq!(pointer(text.as_bytes(), at), format!("/x/1/{escaped}"));
    }
}

fn where_duplicate(text: &str) -> Option<String> {
    scan(text.as_bytes(), Holds::Data)
        .duplicate
        .map(|at| pointer(text.as_bytes(), at))
}

fn where_number(text: &str) -> Option<String> {
    scan(text.as_bytes(), Holds::Data)
        .number
        .map(|at| pointer(text.as_bytes(), at))
}

#[test]
fn duplicates_are_compared_unescaped_and_the_first_second_one_is_named() {
    for (text, at) in [
        (r#"{"a":1,"\u0061":2}"#, Some("/a")),
        (r#"{"a":1,"A":2,"b":{"a":1}}"#, None),
        (r#"{"a":{"b":1,"b":2},"a":3}"#, Some("/a/b")),
        (r#"{"a":1,"a":{"b":1,"b":2}}"#, Some("/a")),
        (r#"[{"a":1},{"a":1},{"":1,"":2}]"#, Some("/2/")),
        (r#"{"a/b~":1,"a/b~":2}"#, Some("/a~1b~0")),
        (r#"{"\ud83d\ude00":1,"😀":2}"#, Some("/😀")),
        (r#"{"x":1,"y":2,"x":3,"y":4}"#, Some("/x")),
        (r#"{"\/":1,"/":2}"#, Some("/~1")),
    ] {
        assert_eq!(where_duplicate(text).as_deref(), at, "{text}");
    }
}

#[test]
fn numbers_have_bounds() {
    let long = format!("[{}]", "1".repeat(400));
    let long_fraction = format!("[{}.5]", "1".repeat(400));
    let small_fraction = format!("[0.{}]", "1".repeat(4000));
    for (text, at) in [
        ("9223372036854775807", None),
        ("-9223372036854775807", None),
        ("-9223372036854775808", Some("")),
        ("[1,9223372036854775808]", Some("/1")),
        (r#"{"a":[0,{"b":1e400}],"c":1e400}"#, Some("/a/1/b")),
        ("[1e308,-1e308,1e-400,0e99999999999999999999]", None),
        ("[1e309]", Some("/0")),
        ("[1e99999999999999999999]", Some("/0")),
        (&long, Some("/0")),
        (&long_fraction, Some("/0")),
        (&small_fraction, None),
        ("[[1,2],[3,[4]],-0,9223372036854775808.0]", None),
    ] {
        assert_eq!(where_number(text).as_deref(), at, "{text}");
    }
}

#[test]
fn depth_is_counted_from_the_outermost() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(!scan(nested(64).as_bytes(), Holds::Data).depth);
    assert!(scan(nested(65).as_bytes(), Holds::Data).depth);
}

#[test]
fn escapes_are_judged_where_they_stand() {
    for (text, holds, encoding) in [
        (r#"{"a":"\u0000"}"#, Holds::Data, true),
        (r#"{"a":"\u0000"}"#, Holds::Attributes, false),
        (r#"{"\u0000":"a"}"#, Holds::Attributes, false),
        (r#"{"\u0000":"a"}"#, Holds::Data, true),
        (r#"{"a":["\ud800"]}"#, Holds::Attributes, false),
        (r#"{"data":{"a":"\ud800"}}"#, Holds::Attributes, true),
        (r#"{"d\u0061ta":{"\udc00":1}}"#, Holds::Attributes, true),
        (r#"{"data":{"a":1},"b":"\udfff"}"#, Holds::Attributes, false),
        (r#"["\ud800"]"#, Holds::Attributes, true),
        (r#"["\ud83d\ude00"]"#, Holds::Data, false),
        (r#"["\ude00\ud83d"]"#, Holds::Data, true),
        (r#"["\ud83d\u0041"]"#, Holds::Data, true),
        (r#"["\ud83d\ud83d\ude00"]"#, Holds::Data, true),
        (r#"["\\u0000"]"#, Holds::Data, false),
    ] {
        let scan = scan(text.as_bytes(), holds);
        assert_eq!((scan.encoding, scan.syntax), (encoding, false), "{text}");
    }
}

/// Each takes milliseconds; ten seconds would mean that the time is not near-linear.
#[test]
fn hostile_documents_take_little_time() {
    let keys = |count: usize| {
        (0..count)
            .map(|n| format!("\"{n:x}\":0"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let prefix = "k".repeat(4000);
    let long_keys: Vec<_> = (0..120).map(|n| format!("\"{prefix}{n}\":0")).collect();
    let nested = "{\"a\":".repeat(80_000);
    for text in [
        format!("{{{}}}", keys(50_000)),
        format!("{{{},\"0\":1}}", keys(50_000)),
        format!("{{{}}}", long_keys.join(",")),
        "[".repeat(512 * 1024),
        nested.clone(),
        format!("{nested}0{}", "}".repeat(80_000)),
        format!("[{}]", "1".repeat(500_000)),
        format!("[1.{}e-{}]", "1".repeat(250_000), "1".repeat(250_000)),
        format!("\"{}\"", "\\u0000".repeat(80_000)),
        format!("{{\"{}\":0}}", "\\ud83d\\ude00".repeat(40_000)),
        format!("[{}{{}}]", "{\"\":0},".repeat(70_000)),
        format!("{{\"a\":{{\"x\":[{}0]}},\"a\":1}}", "0,".repeat(200_000)),
    ] {
        let start = Instant::now();
        let found = scan(text.as_bytes(), Holds::Attributes);
        if let Some(at) = found.duplicate.or(found.number) {
            let _ = pointer(text.as_bytes(), at);
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:.40}… took {:?}",
            text,
            start.elapsed()
        );
    }
}

//! Conditions against the `cel` crate, against arbitrary text, and against what would run on.

use proptest::prelude::*;
use serde_json::json;

use super::check::{Scope, check};
use super::types::Type;
use super::{BUDGET, Failure, Frame, Value, evaluate, parse};
use crate::rule::{Event, Settings};

/// What a condition gives without an event: `null`, a truth value, a number or text, as JSON; or nothing, where it
/// fails.
fn ours(text: &str) -> Option<serde_json::Value> {
    let settings = Settings::default();
    let scope = Scope {
        names: Vec::new(),
        settings: &settings,
    };
    let expr = parse::parse(text).unwrap_or_else(|wrong| unreachable!("{text}: {wrong:?}"));
    let (node, _) = check(&expr, &scope).unwrap_or_else(|wrong| unreachable!("{text}: {wrong:?}"));
    let (context, data, aliases) = (serde_json::Map::new(), json!({}), json!({}));
    let event = event(&context, &data);
    let mut frame = frame(&event, &aliases);
    evaluate(&node, &mut frame)
        .ok()
        .map(|value| value.to_json())
}

fn event<'a>(
    context: &'a serde_json::Map<String, serde_json::Value>,
    data: &'a serde_json::Value,
) -> Event<'a> {
    Event {
        kind: "sample.valve",
        verb: "turned",
        id: "1",
        subject: "v1",
        source: "/plant",
        actor: "",
        publisher: "plant",
        context,
        occurred_us: 0,
        recorded_us: 0,
        seq: 0,
        data,
    }
}

fn frame<'a>(event: &'a Event<'a>, aliases: &'a serde_json::Value) -> Frame<'a> {
    Frame {
        event,
        entity: None,
        before: None,
        found: Vec::new(),
        item: Value::Null,
        other: Value::Null,
        timer: None,
        aliases,
        budget: BUDGET,
        variables: Vec::new(),
    }
}

/// What the `cel` crate makes of it.
fn theirs(text: &str) -> Option<serde_json::Value> {
    let program = cel::Program::compile(text);
    let program = program.unwrap_or_else(|error| unreachable!("{text}: {error}"));
    match program.execute(&cel::Context::default()).ok()? {
        cel::Value::Null => Some(serde_json::Value::Null),
        cel::Value::Bool(value) => Some(value.into()),
        cel::Value::Int(value) => Some(value.into()),
        cel::Value::String(text) => Some(text.as_str().into()),
        other => unreachable!("{text}: {other:?}"),
    }
}

/// Expressions of whole numbers.
fn number(depth: u32) -> BoxedStrategy<String> {
    let small = prop_oneof![
        (0..5_i64).prop_map(|n| n.to_string()),
        Just("-3".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("0x1F".to_owned()),
    ];
    if depth == 0 {
        return small.boxed();
    }
    let (a, b) = (number(depth - 1), number(depth - 1));
    let operator = prop::sample::select(vec!["+", "-", "*", "/", "%"]);
    let binary = (a, operator, b).prop_map(|(a, operator, b)| format!("{a} {operator} {b}"));
    let nested = number(depth - 1).prop_map(|a| format!("({a})"));
    let size = text(depth - 1).prop_map(|t| format!("size({t})"));
    let length = numbers(depth - 1).prop_map(|l| format!("{l}.size()"));
    let choice = (truth(depth - 1), number(depth - 1), number(depth - 1))
        .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})"));
    prop_oneof![small, binary, nested, size, length, choice].boxed()
}

fn text(depth: u32) -> BoxedStrategy<String> {
    let plain = prop::sample::select(vec![
        "''",
        "'a'",
        "\"ab\"",
        "r'a\\b'",
        "'\\u00e9\\n'",
        "'ü'",
        "'''a'b'''",
    ]);
    let plain = plain.prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    let joined = (text(depth - 1), text(depth - 1)).prop_map(|(a, b)| format!("({a} + {b})"));
    prop_oneof![plain, joined].boxed()
}

fn numbers(depth: u32) -> BoxedStrategy<String> {
    prop::collection::vec(number(depth), 0..4)
        .prop_map(|items| format!("[{}]", items.join(", ")))
        .boxed()
}

/// Expressions of truth values.
fn truth(depth: u32) -> BoxedStrategy<String> {
    let plain = prop::sample::select(vec!["true", "false"]).prop_map(str::to_owned);
    if depth == 0 {
        return plain.boxed();
    }
    let order = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let compared = (number(depth - 1), order.clone(), number(depth - 1))
        .prop_map(|(a, order, b)| format!("{a} {order} {b}"));
    let texts = (text(depth - 1), order, text(depth - 1))
        .prop_map(|(a, order, b)| format!("{a} {order} {b}"));
    let logic = prop::sample::select(vec!["&&", "||"]);
    let joined = prop::collection::vec(truth(depth - 1), 2..4);
    let joined = (joined, logic)
        .prop_map(|(parts, logic)| format!("({})", parts.join(&format!(" {logic} "))));
    let not = truth(depth - 1).prop_map(|a| format!("!({a})"));
    let within = (number(depth - 1), numbers(depth - 1)).prop_map(|(a, l)| format!("{a} in {l}"));
    let asked = prop::sample::select(vec!["startsWith", "endsWith", "contains"]);
    let asked =
        (text(depth - 1), asked, text(depth - 1)).prop_map(|(a, f, b)| format!("{a}.{f}({b})"));
    let how = prop::sample::select(vec!["all", "exists", "exists_one"]);
    let looped = (numbers(depth - 1), how, number(depth - 1))
        .prop_map(|(l, how, n)| format!("{l}.{how}(x, x * 2 > {n})"));
    let filtered = (numbers(depth - 1), number(depth - 1))
        .prop_map(|(l, n)| format!("{l}.filter(x, x != {n}).map(y, y) == {l}"));
    prop_oneof![
        plain, compared, texts, joined, not, within, asked, looped, filtered
    ]
    .boxed()
}

proptest! {
    #[test]
    fn truth_values_are_the_crate_s(text in truth(3)) {
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn numbers_are_the_crate_s(text in number(3)) {
        prop_assert_eq!(ours(&text), theirs(&text), "{}", text);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,80}") {
        let _ = parse::parse(&text);
    }

    /// What looks like a condition, cut and joined anywhere.
    #[test]
    fn broken_conditions_never_panic(text in truth(3), cut in 0..200_usize, more in "[-+*/%!?:.,()\\[\\]'\"a-z0-9 ]{0,12}") {
        let head: String = text.chars().take(cut).collect();
        let text = format!("{head}{more}");
        let settings = Settings::default();
        let scope = Scope {
            names: vec![("a".to_owned(), Type::Any, super::node::Root::Item)],
            settings: &settings,
        };
        if let Ok(expr) = parse::parse(&text) {
            let _ = check(&expr, &scope);
        }
    }
}

/// Loops in loops, lists that double, texts that double: each ends within the budget, or fails.
#[test]
fn nothing_runs_on() {
    let ten = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
    let nested = |depth: usize, inner: &str| {
        let open: Vec<String> = (0..depth).map(|n| format!("{ten}.all(x{n}, ")).collect();
        let open = open.concat();
        format!("{open}{inner}{}", ")".repeat(depth))
    };
    let doubled = |from: &str, depth: usize| {
        let (mut text, mut last) = (String::new(), from.to_owned());
        for n in 0..depth {
            text = format!("{text}[{last} + {last}].all(y{n}, ");
            last = format!("y{n}");
        }
        format!("{text}size({last}) > 0{}", ")".repeat(depth))
    };
    let text = "'0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'";
    for condition in [
        nested(8, "true"),
        nested(6, &format!("{ten}.map(z, z) == {ten}")),
        doubled(text, 14),
        doubled(ten, 14),
    ] {
        let settings = Settings::default();
        let scope = Scope {
            names: Vec::new(),
            settings: &settings,
        };
        let expr = parse::parse(&condition).unwrap_or_else(|wrong| unreachable!("{wrong:?}"));
        let (node, _) = check(&expr, &scope).unwrap_or_else(|wrong| unreachable!("{wrong:?}"));
        let (context, data, aliases) = (serde_json::Map::new(), json!({}), json!({}));
        let event = event(&context, &data);
        let mut frame = frame(&event, &aliases);
        let failed = evaluate(&node, &mut frame).err();
        assert_eq!(failed, Some(Failure::Budget), "{condition}");
    }
}

/// Nesting beyond what is allowed is refused before it can exhaust a stack of 512 KiB.
#[test]
fn nothing_is_nested_too_deep() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("!", ""),
        ("-", ""),
        ("size(", ")"),
        ("true ? true : ", ""),
        ("1 + (", ")"),
    ] {
        for depth in [31, 40, 400, 1500] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let read = std::thread::Builder::new()
                .stack_size(512 * 1024)
                .spawn(move || parse::parse(&text).is_ok())
                .expect("a thread starts")
                .join()
                .expect("it does not exhaust its stack");
            assert!(!read || depth < 32, "{open} {depth}");
        }
    }
    let flat = vec!["true"; 500].join(" && ");
    assert_eq!(ours(&flat), Some(json!(true)));
    let long = vec!["1"; 40].join(" + ");
    assert!(
        parse::parse(&long).is_err(),
        "a chain of sums is as deep as it is long"
    );
}

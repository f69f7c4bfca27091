//! The table that is printed, and the same as JSON.

use serde_json::json;

use crate::Seconds;

/// What is measured, and the raw limit that it stands beside.
const BESIDE: [(&str, &str); 3] = [
    ("ingest", "copy in"),
    ("ingest", "copy in, one transaction"),
    ("verify", "copy out"),
];
/// What should cost an event the same however many there are.
const GROWING: [&str; 2] = ["ingest", "verify"];

pub fn print(results: &[(usize, Seconds)]) {
    let mut list = Vec::new();
    println!(
        "{:>9}  {:<26} {:>12}  {:<28} {:>12} {:>7}",
        "events", "what", "events/s", "beside", "events/s", "ratio"
    );
    for (events, seconds) in results {
        let rate = |what: &str| *events as f64 / seconds.get(what).copied().unwrap_or(f64::NAN);
        for (what, limit) in BESIDE {
            let ratio = rate(what) / rate(limit);
            println!(
                "{events:>9}  {what:<26} {:>12.0}  {limit:<28} {:>12.0} {ratio:>7.2}",
                rate(what),
                rate(limit)
            );
            list.push(json!({
                "events": events, "what": what, "events_per_s": rate(what).round(), "limit": limit,
                "limit_events_per_s": rate(limit).round(), "ratio": (ratio * 1000.0).round() / 1000.0,
            }));
        }
    }
    let cost = |at: Option<&(usize, Seconds)>, what: &str| {
        at.and_then(|(events, seconds)| Some(seconds.get(what)? / *events as f64))
    };
    for what in GROWING {
        if let (Some(small), Some(large), true) = (
            cost(results.first(), what),
            cost(results.last(), what),
            results.len() > 1,
        ) {
            println!(
                "cost of one event, largest beside smallest: {what} {:.2}",
                large / small
            );
            list.push(
                json!({"what": what, "cost_growth": (large / small * 1000.0).round() / 1000.0}),
            );
        }
    }
    println!("{}", serde_json::Value::from(list));
}

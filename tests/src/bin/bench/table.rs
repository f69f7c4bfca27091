//! The table that is printed, and the same as JSON.

use serde_json::{Value, json};

use crate::{Figure, Figures};

/// What is measured, and the raw limit that it stands beside.
const BESIDE: [(&str, &str); 5] = [
    ("ingest", "copy in"),
    ("ingest", "copy in, one transaction"),
    ("verify", "copy out"),
    ("fold", "ingest, all kinds"),
    ("rebuild", "ingest, all kinds"),
];

/// What is to be reached.
const GOALS: &str = "goals: ingest at 0.6 of copy in, verification at 0.7 of copy out, folding and rebuilding at 0.6 \
     of ingest, 20000 events/s judged; an event of a million costs at most 1.1 of one of a hundred thousand";

/// One round's figures in short, while the rest is still being measured.
pub fn progress(events: usize, figures: &Figures) {
    for (name, figure) in figures {
        let rate = events as f64 / figure.seconds;
        eprintln!("  {name:<26} {rate:>9.0}/s  {}", spent(figure));
    }
}

/// Processor time and log of one event, and what it came to.
fn spent(figure: &Figure) -> String {
    let mut parts: Vec<String> = figure
        .spent
        .cpu_us
        .iter()
        .map(|(program, us)| format!("{program} {us:.2} µs"))
        .collect();
    parts.push(format!("log {:.0} bytes", figure.spent.wal_bytes));
    let verdicts = figure.verdicts.map(|each| format!("{each:.2} verdicts"));
    parts.extend(verdicts);
    parts.join(", ")
}

/// The whole table: rates and ratios, what an event costs, and how that grows.
pub fn print(results: &[(usize, Figures)]) {
    let mut list = Vec::new();
    println!(
        "{:>9}  {:<26} {:>12}  {:<28} {:>12} {:>7}",
        "events", "what", "events/s", "beside", "events/s", "ratio"
    );
    for (events, figures) in results {
        for (what, limit) in BESIDE {
            list.extend(beside(*events, figures, what, limit));
        }
    }
    println!("{GOALS}");
    println!("\nprocessor time and write-ahead log of one event, by program");
    for (events, figures) in results {
        for (name, figure) in figures {
            println!("{events:>9}  {name:<26} {}", spent(figure));
            let Figure {
                seconds,
                spent,
                verdicts,
            } = figure;
            list.push(json!({
                "events": events, "what": name, "seconds": seconds, "cpu_us": spent.cpu_us,
                "wal_bytes": spent.wal_bytes.round(), "verdicts": verdicts.map(round),
            }));
        }
    }
    if let [first, .., last] = results {
        println!("\ncost of one event, most beside fewest");
        list.extend(first.1.keys().filter_map(|name| growth(first, last, name)));
    }
    println!("\n{}", Value::from(list));
}

/// One line: what was measured beside its limit.
fn beside(events: usize, figures: &Figures, what: &str, limit: &str) -> Option<Value> {
    let rate = |name: &str| Some(events as f64 / figures.get(name)?.seconds);
    let (ours, raw) = (rate(what)?, rate(limit)?);
    let ratio = ours / raw;
    println!("{events:>9}  {what:<26} {ours:>12.0}  {limit:<28} {raw:>12.0} {ratio:>7.2}");
    Some(json!({
        "events": events, "what": what, "events_per_s": ours.round(), "limit": limit,
        "limit_events_per_s": raw.round(), "ratio": round(ratio),
    }))
}

/// How much more one event costs among many than among few.
fn growth(few: &(usize, Figures), many: &(usize, Figures), name: &str) -> Option<Value> {
    let cost =
        |(events, figures): &(usize, Figures)| Some(figures.get(name)?.seconds / *events as f64);
    let growth = cost(many)? / cost(few)?;
    println!("  {name:<26} {growth:.2}");
    Some(json!({"what": name, "cost_growth": round(growth)}))
}

fn round(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

//! Processes of every role are killed and started again, over and over, while the sample and a drawn load come in; what
//! they leave is one chain, one set of views and one opening an incident.
//!
//! `LEDGER_STORM_ROUNDS` makes it longer, `LEDGER_STORM_SEED` another one.
#![allow(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reports by panicking, and this one can be made longer by a variable"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tests::program::Serving;
use tests::{Installation, feed};

/// Who does what in which process; two of them have every role's partner, the third stands by for all.
const PROCESSES: [&[&str]; 3] = [
    &["ingest", "project", "notify"],
    &["outbox", "clock", "seal", "retain", "http"],
    &[
        "ingest", "project", "outbox", "clock", "seal", "notify", "retain",
    ],
];

fn number(name: &str, usual: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A generator that needs nothing: Marsaglia's xorshift64.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Every row of every table of the living views that a fold writes, in order.
async fn views(ledger: &Installation) -> Vec<String> {
    let client = ledger.postgres.connect(&ledger.database).await;
    let tables = "SELECT c.relname, string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum)
                    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                   WHERE c.relnamespace = 'views'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
                     AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'projection'
                     AND c.relname NOT IN ('projection', 'outbox')
                     AND EXISTS (SELECT FROM pg_attribute p WHERE p.attrelid = c.oid AND p.attname = 'projection')
                   GROUP BY c.relname ORDER BY c.relname";
    let mut all = Vec::new();
    for row in client.query(tables, &[]).await.expect("the tables") {
        let (table, columns): (String, String) = (row.get(0), row.get(1));
        let sql = format!(
            "SELECT ROW({columns})::text FROM views.{table} t JOIN views.projection p USING (projection)
              WHERE p.state = 'live' ORDER BY 1"
        );
        let rows = client.query(&sql, &[]).await.expect("rows");
        all.extend(
            rows.iter()
                .map(|row| format!("{table} {}", row.get::<_, String>(0))),
        );
    }
    all
}

/// How often each incident was opened in the outgoing stream.
async fn openings(ledger: &Installation) -> BTreeMap<String, u32> {
    let jetstream = ledger.nats.jetstream().await;
    let stream = jetstream.get_stream("LEDGER-main-OUT").await;
    let mut stream = stream.expect("the stream");
    let last = stream.info().await.expect("its state").state.last_sequence;
    let mut all = BTreeMap::new();
    for number in 1..=last {
        let message = stream.get_raw_message(number).await.expect("a message");
        if message.subject.starts_with("ledger.main.incident.opened.") {
            let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
            let incident = event["data"]["incident"].as_str().expect("an incident");
            *all.entry(incident.to_owned()).or_default() += 1;
        }
    }
    all
}

/// The load of one round: a part of the sample, and as many events drawn from the kinds.
async fn load(ledger: &Installation, quarter: &[&str], seed: u64) -> Vec<String> {
    let (seed, many) = (seed.to_string(), quarter.len().to_string());
    let sample = [
        "sample", "--seed", &seed, "--count", &many, "--unruly", "100",
    ];
    let drawn = ledger.run(sample).await.expect(0).out;
    let quarter = quarter.iter().map(|line| (*line).to_owned());
    quarter.chain(drawn.lines().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_a_storm_of_kills_leaves_is_one_history() {
    let rounds = number("LEDGER_STORM_ROUNDS", 3);
    let mut drawn = Drawn(number("LEDGER_STORM_SEED", 20_261_121));
    let ledger = Installation::start().await;
    let jetstream = ledger.nats.jetstream().await;
    let quarter = feed::quarter();
    let lines: Vec<&str> = quarter.lines().collect();
    let part = lines.len().div_ceil(usize::try_from(rounds).expect("few"));
    let mut running: Vec<Serving> = PROCESSES
        .iter()
        .map(|roles| ledger.serve_roles(roles))
        .collect();
    for (round, part) in lines.chunks(part).enumerate() {
        let seed = u64::try_from(round).expect("few") + 1;
        let events = load(&ledger, part, seed).await;
        for some in events.chunks(events.len().div_ceil(4)) {
            feed::publish(&jetstream, some.to_vec()).await;
            let victim = usize::try_from(drawn.below(3)).expect("one of three");
            tokio::time::sleep(Duration::from_millis(drawn.below(1500))).await;
            running.remove(victim).kill().await;
            running.insert(victim, ledger.serve_roles(PROCESSES[victim]));
        }
    }
    for one in running {
        one.kill().await;
    }
    let _serving = ledger.serve().await;
    ledger.settles().await;

    for arguments in [&["verify", "--deep"][..], &["verify", "--rules"]] {
        let report = ledger.ask(arguments).await;
        assert_eq!(report["ok"], true, "{arguments:?}: {report}");
    }
    let unexpected = ["violations", "--rule", "verdict.unexpected"];
    assert_eq!(ledger.ask(unexpected).await, serde_json::json!([]));
    let told = openings(&ledger).await;
    let twice: Vec<_> = told.iter().filter(|(_, many)| **many != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let listed = ledger.ask(["incidents", "--all"]).await;
    let listed = listed.as_array().expect("a list").iter();
    let mut listed: Vec<&str> = listed.filter_map(|one| one["incident"].as_str()).collect();
    listed.sort_unstable();
    let told: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(told, listed, "every incident was told of");

    let before = views(&ledger).await;
    assert!(before.len() > 1000, "{}", before.len());
    ledger.run(["rebuild"]).await.expect(0);
    ledger.settles().await;
    let after = views(&ledger).await;
    let lost: Vec<_> = before
        .iter()
        .filter(|row| !after.contains(row))
        .take(5)
        .collect();
    let new: Vec<_> = after
        .iter()
        .filter(|row| !before.contains(row))
        .take(5)
        .collect();
    assert!(
        before == after,
        "only before: {lost:#?}\nonly after: {new:#?}"
    );
}

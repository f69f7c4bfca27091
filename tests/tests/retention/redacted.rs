//! What people ask to have deleted is deleted everywhere, through crashes and outages, and everybody is told.

use serde_json::{Value, json};
use tests::program::eventually;
use tests::{Installation, feed};

const NAME: &str = "Ann Example";

/// Operators are known, and messages are overwritten after so many seconds.
pub async fn start(seconds: u64) -> Installation {
    let mut ledger = Installation::start().await;
    ledger.configure(
        "ledger.example/main",
        &format!("[catalog]\noperators = \"terraform\"\n[stream]\nsecret_seconds = {seconds}"),
    );
    let serving = ledger.serve().await;
    ledger.run(["catalog", "activate"]).await.expect(0);
    serving.stop().await;
    ledger
}

/// An environment whose event says a name that it should not.
pub fn named(id: &str, environment: &str) -> String {
    let mut event: Value = serde_json::from_str(&feed::created(id, environment)).expect("JSON");
    event["data"]["namespace"] = json!(NAME);
    event["data"]["labels"] = json!({ "owner": NAME });
    event.to_string()
}

pub async fn positions(ledger: &Installation, ids: &str) -> Vec<u64> {
    let client = ledger.postgres.connect(&ledger.database).await;
    let sql = "SELECT seq FROM ledger.event WHERE source = 'urn:test' AND id LIKE $1 ORDER BY seq";
    let rows = client.query(sql, &[&ids]).await.expect("rows");
    let seq = |row: &tokio_postgres::Row| u64::try_from(row.get::<_, i64>(0)).expect("small");
    rows.iter().map(seq).collect()
}

/// How many rows of the chain and of the views say the name.
pub async fn said(ledger: &Installation) -> i64 {
    let client = ledger.postgres.connect(&ledger.database).await;
    let sql = "SELECT (SELECT count(*) FROM ledger.body WHERE position($1::text::bytea IN data) > 0)
                    + (SELECT count(*) FROM views.entity e WHERE position($1 IN e::text) > 0)
                    + (SELECT count(*) FROM views.link l WHERE position($1 IN l::text) > 0)
                    + (SELECT count(*) FROM views.outbox o WHERE position($1::text::bytea IN o.body) > 0)";
    client.query_one(sql, &[&NAME]).await.expect("a row").get(0)
}

pub async fn redact(ledger: &Installation, seqs: &[u64]) {
    let seqs: Vec<String> = seqs.iter().map(ToString::to_string).collect();
    let mut arguments = vec![
        "redact",
        "--reason",
        "by mistake",
        "--approved-by",
        "bob",
        "--by",
        "alice",
    ];
    arguments.extend(seqs.iter().map(String::as_str));
    ledger.run(arguments).await.expect(0);
}

#[tokio::test]
async fn nobody_agrees_to_what_they_ask_for() {
    let ledger = start(1).await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    feed::publish(&jetstream, [named("n1", "staging")]).await;
    ledger.settles().await;
    let seq = positions(&ledger, "n1").await[0].to_string();
    let before = ledger.settles().await;
    let asked = ["redact", &seq, "--reason", "by mistake", "--by", "alice"];
    let refused = ledger
        .run(asked.iter().copied().chain(["--approved-by", "alice"]))
        .await
        .expect(2);
    assert!(refused.err.contains("one person"), "{}", refused.err);
    assert!(refused.err.contains("four_eyes"), "{}", refused.err);
    assert_eq!(ledger.settles().await, before, "something was published");
    serving.stop().await;
}

#[tokio::test]
async fn a_redacted_event_is_gone_everywhere_and_everything_verifies() {
    let ledger = start(1).await;
    let jetstream = ledger.nats.jetstream().await;
    let serving = ledger.serve().await;
    let number = feed::publish(&jetstream, [named("n1", "staging")]).await;
    feed::publish(
        &jetstream,
        [feed::status_changed(
            "n2",
            "staging",
            "provisioning",
            "ready",
        )],
    )
    .await;
    ledger.settles().await;
    let seq = positions(&ledger, "n1").await[0];
    let place = seq.to_string();
    assert!(said(&ledger).await >= 2);
    // An operator's hold comes first.
    let hold = [
        "hold", "place", "case", "--id", "staging", "--reason", "why", "--by", "alice",
    ];
    ledger.run(hold).await.expect(0);
    redact(&ledger, &[seq]).await;
    ledger.settles().await;
    let plan = ledger.ask(["retention", "plan"]).await;
    assert_eq!(
        (&plan[0]["stage"], &plan[0]["held"]),
        (&json!("requested"), &json!(1)),
        "{plan}"
    );
    assert!(said(&ledger).await >= 2);
    ledger
        .run(["hold", "release", "case", "--by", "alice"])
        .await
        .expect(0);
    eventually("nothing says it", async || said(&ledger).await == 0).await;

    let log = ledger.ask(["log", "--from", &place, "--limit", "1"]).await;
    let redacted = &log[0]["redacted"];
    assert_eq!(
        (&log[0]["data"], &redacted["rule"]),
        (&Value::Null, &json!("redaction")),
        "{log}"
    );
    assert_eq!(redacted["reason"], "by mistake");
    assert!(
        redacted["by"].as_u64() > Some(seq) && redacted["at"].is_string(),
        "{log}"
    );
    let state = ledger
        .ask(["state", "platform.environment", "staging"])
        .await;
    assert_eq!(
        (&state["redacted"], &state["status"]),
        (&json!(true), &json!("ready")),
        "{state}"
    );
    let history = ledger
        .ask(["history", "platform.environment", "staging"])
        .await;
    assert_eq!(
        (&history[0]["redacted"], &history[1]["redacted"]),
        (&json!(true), &json!(false))
    );
    let plan = ledger.ask(["retention", "plan"]).await;
    assert!(
        plan.as_array()
            .is_some_and(|all| all.iter().all(|one| one["stage"] == "later")),
        "{plan}"
    );
    let stream = jetstream
        .get_stream("LEDGER-main")
        .await
        .expect("the stream");
    eventually("the message is overwritten", async || {
        stream.get_raw_message(number).await.is_err()
    })
    .await;
    ledger.settles().await;
    let report = ledger.ask(["verify"]).await;
    assert_eq!(
        (&report["ok"], &report["notes"]),
        (&json!(true), &json!([])),
        "{report}"
    );
    let exported = ledger.ask(["export", "--all", "bundle"]).await;
    let key = exported["key"].as_str().expect("a key");
    let report = ledger
        .ask(["verify", "--bundle", "bundle", "--key", key])
        .await;
    assert_eq!(report["ok"], true, "{report}");
    ledger.run(["rebuild", "--compare"]).await.expect(0);
    ledger.run(["rebuild"]).await.expect(0);
    let state = ledger
        .ask(["state", "platform.environment", "staging"])
        .await;
    assert_eq!(
        (&state["redacted"], &state["status"]),
        (&json!(true), &json!("ready")),
        "{state}"
    );
    assert_eq!(said(&ledger).await, 0);
    serving.stop().await;
}

#[tokio::test]
async fn killed_again_and_again_it_deletes_what_was_asked_for_and_nothing_else() {
    let ledger = start(1).await;
    let jetstream = ledger.nats.jetstream().await;
    let mut serving = ledger.serve().await;
    for number in 0..24_u64 {
        let event = named(&format!("k{number}"), &format!("env-{number}"));
        feed::publish(&jetstream, [event]).await;
    }
    feed::publish(
        &jetstream,
        (0..24).map(|n| feed::created(&format!("o{n}"), &format!("other-{n}"))),
    )
    .await;
    ledger.settles().await;
    let seqs = positions(&ledger, "k%").await;
    assert_eq!(seqs.len(), 24);
    let pauses = [0, 40, 150, 300, 700, 1100, 1600, 2200];
    for (round, seqs) in seqs.chunks(3).enumerate() {
        redact(&ledger, seqs).await;
        let pause = std::time::Duration::from_millis(pauses[round % pauses.len()]);
        // Somewhere between two steps, wherever that is.
        tokio::time::sleep(pause).await;
        serving.kill().await;
        serving = ledger.serve().await;
    }
    eventually("nothing says it", async || said(&ledger).await == 0).await;
    ledger.settles().await;
    let client = ledger.postgres.connect(&ledger.database).await;
    let sql = "SELECT seq FROM ledger.event e WHERE NOT EXISTS (SELECT FROM ledger.body b WHERE b.seq = e.seq) ORDER BY seq";
    let gone = client.query(sql, &[]).await.expect("rows");
    let gone: Vec<u64> = gone
        .iter()
        .map(|row| u64::try_from(row.get::<_, i64>(0)).expect("small"))
        .collect();
    assert_eq!(gone, seqs);
    let report = ledger.ask(["verify"]).await;
    assert_eq!(
        (&report["ok"], &report["notes"]),
        (&json!(true), &json!([])),
        "{report}"
    );
    serving.stop().await;
}

#[tokio::test]
async fn servers_that_are_away_are_waited_for() {
    let mut ledger = start(1).await;
    let serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    feed::publish(&jetstream, [named("a1", "one"), named("a2", "two")]).await;
    ledger.settles().await;
    let seqs = positions(&ledger, "a%").await;
    redact(&ledger, &seqs[..1]).await;
    ledger.nats.stop();
    ledger.nats.restart().await;
    redact(&ledger, &seqs[1..]).await;
    ledger.postgres.stop();
    ledger.postgres.restart().await;
    eventually("it serves again", async || {
        ledger.http("/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
    eventually("nothing says it", async || said(&ledger).await == 0).await;
    ledger.settles().await;
    let report = ledger.ask(["verify"]).await;
    assert_eq!(report["ok"], true, "{report}");
    serving.stop().await;
}

//! `ledger rebuild` beside a running `ledger serve`: killed in the middle, run again, and the views are the same.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use tests::program::eventually;
use tests::{Installation, feed};
use tokio_postgres::Client;

/// The views of one projection, every row of every table but its number, in order.
async fn rows(client: &Client, state: &str) -> Vec<String> {
    let mut all = Vec::new();
    for (table, columns) in [
        (
            "entity",
            "kind, id, status, status_seq, since_us, unknown_seq, redacted_seq, created_seq, seq, events, attributes::text",
        ),
        ("link", "kind, id, field, target_kind, target_id"),
        (
            "history",
            "kind, id, seq, occurred_us, recorded_us, legal, redacted, event_type, from_status, to_status, claimed, actor",
        ),
        (
            "violation",
            "violation, rule, severity, kind, id, cause_seq, seq, status, cleared_seq, judged, catalog, detail_key, judged_from",
        ),
        ("outbox", "id, cause_seq, subject, body"),
        (
            "quarantine",
            "seq, recorded_us, size, reason, at, publisher, nats_subject",
        ),
        ("activation", "seq, digest"),
        (
            "incident",
            "incident, class, kind, id, severity, status, rule, reopens, judged, opened_seq, opened_us, last_cause,
             acknowledged_seq, acknowledged_by, resolved_seq, resolved_us, resolved_by",
        ),
        ("incident_cause", "cause_seq, incident"),
        (
            "deadline",
            "due_us, armed_seq, fired, kind, id, owner, rule, part, key",
        ),
        ("task", "cause_seq, class, kind, id, task"),
        ("derived", "cause_seq, seq, id, digest"),
        ("publisher_number", "publisher, source, highest"),
    ] {
        let sql = format!(
            "SELECT ROW({columns})::text FROM views.{table}
              WHERE projection = (SELECT projection FROM views.projection WHERE state = $1) ORDER BY 1"
        );
        let found = client.query(&sql, &[&state]).await.expect("rows");
        all.extend(
            found
                .iter()
                .map(|row| format!("{table} {}", row.get::<_, String>(0))),
        );
    }
    all
}

async fn folded(client: &Client, state: &str) -> Option<(i32, i64)> {
    let sql = "SELECT projection, next_seq FROM views.projection WHERE state = $1";
    let row = client.query_opt(sql, &[&state]).await.expect("asked")?;
    Some((row.get(0), row.get(1)))
}

/// Waits until the living views have the whole chain, and nothing is on its way.
async fn settles(ledger: &Installation, client: &Client) -> u64 {
    let lying = "SELECT count(*) FROM views.outbox JOIN views.projection USING (projection) WHERE state = 'live'";
    for _ in 0..20 {
        let size = ledger.settles().await;
        eventually("the views have the whole chain", async || {
            folded(client, "live").await.map(|(_, next)| next) == i64::try_from(size).ok()
        })
        .await;
        // What another process laid into the outbox is found there within a second.
        let lying = client.query_one(lying, &[]).await.expect("counted");
        if lying.get::<_, i64>(0) == 0 {
            return size;
        }
    }
    panic!("the outbox is never empty:\n{}", ledger.log());
}

fn events(from: u64, to: u64) -> impl Iterator<Item = String> {
    (from..to).map(|number| {
        let environment = format!("env-{}", number % 40);
        if number < 40 {
            feed::created(&number.to_string(), &environment)
        } else {
            // Illegal now and then: from what it is not, or back out of the end.
            let to = ["ready", "degraded", "ready", "recovering"]
                [usize::try_from(number % 4).expect("small")];
            feed::status_changed(&number.to_string(), &environment, "ready", to)
        }
    })
}

#[tokio::test]
async fn a_rebuild_beside_ingest_is_killed_goes_on_and_gives_the_same_views() {
    let ledger = Installation::start().await;
    let serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    let sample = feed::quarter();
    feed::publish(&jetstream, sample.lines().map(str::to_owned)).await;
    feed::publish(&jetstream, events(0, 400)).await;
    let client = ledger.postgres.connect(&ledger.database).await;
    settles(&ledger, &client).await;
    let (old, _) = folded(&client, "live").await.expect("it lives");

    // A lock holds the rebuild in its first batch, so that the kill hits the middle of it.
    let blocker = ledger.postgres.connect(&ledger.database).await;
    blocker
        .batch_execute("BEGIN; LOCK TABLE views.quarantine, views.history IN SHARE MODE")
        .await
        .expect("locked");
    let rebuild = ledger.begin(["rebuild"]);
    let waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the rebuild is in its batch", async || {
        folded(&client, "building").await.is_some()
            && !client.query(waits, &[]).await.expect("asked").is_empty()
    })
    .await;
    rebuild.kill().await;
    blocker.batch_execute("ROLLBACK").await.expect("unlocked");
    let (building, _) = folded(&client, "building").await.expect("it was begun");

    // It goes on with the same one while events arrive, and readers see the old views until it is done.
    let feeding = {
        let jetstream = jetstream.clone();
        tokio::spawn(async move { feed::publish(&jetstream, events(400, 4_000)).await })
    };
    let ran = ledger.run(["rebuild", "-o", "json"]).await.expect(0).json();
    let (new, next) = folded(&client, "live").await.expect("it lives");
    assert_eq!(new, building, "it went on with what was begun");
    assert_ne!(new, old);
    assert!(
        ran["size"].as_i64().is_some_and(|size| size <= next),
        "{ran}"
    );
    assert_eq!(folded(&client, "building").await, None);
    feeding.await.expect("published");
    let size = settles(&ledger, &client).await;
    let left = "SELECT count(*) FROM views.entity WHERE projection = $1";
    let left = client.query_one(left, &[&old]).await.expect("counted");
    assert_eq!(left.get::<_, i64>(0), 0, "the old rows are deleted");

    // The same again from nothing, with nobody else at work: the same rows, and nothing new in the stream.
    assert_eq!(serving.stop().await, 0);
    let living = rows(&client, "live").await;
    ledger.run(["rebuild", "--anew"]).await.expect(0);
    assert_eq!(rows(&client, "live").await, living);
    ledger
        .run(["rebuild", "--package", "platform"])
        .await
        .expect(0);
    assert_eq!(rows(&client, "live").await, living);
    let serving = ledger.serve().await;
    assert_eq!(
        settles(&ledger, &client).await,
        size,
        "a rebuild publishes nothing"
    );
    assert_eq!(serving.stop().await, 0);
}

#[tokio::test]
async fn one_rebuild_at_a_time_and_of_what_there_is() {
    let ledger = Installation::start().await;
    let serving = ledger.serve_roles(&["ingest", "outbox"]);
    ledger.catches_up().await;
    let ran = ledger
        .run(["rebuild", "--package", "platform"])
        .await
        .expect(5);
    assert!(ran.err.contains("has no views yet"), "{}", ran.err);
    ledger.run(["rebuild"]).await.expect(0);
    let ran = ledger
        .run(["rebuild", "--package", "platfrom"])
        .await
        .expect(5);
    assert!(ran.err.contains("no package platfrom"), "{}", ran.err);
    ledger
        .run(["rebuild", "--package", "Platform"])
        .await
        .expect(2);

    let other = ledger.postgres.connect(&ledger.database).await;
    let lock = "SELECT pg_advisory_lock($1, ledger) FROM ledger.head";
    other
        .query(lock, &[&0x7669_6577_i32])
        .await
        .expect("locked");
    let ran = ledger.run(["rebuild"]).await.expect(1);
    assert!(
        ran.err.contains("somebody else is rebuilding"),
        "{}",
        ran.err
    );
    drop(serving);
}

/// Statements of the fold that look rows up by key, and the index that holds the whole key.
const LOOK_UPS: [(&str, &str, &str); 6] = [
    (
        "violation",
        "violation_pkey",
        include_str!("../../projections/src/sql/see_verdicts.sql"),
    ),
    (
        "violation",
        "violation_pkey",
        include_str!("../../projections/src/sql/load_verdicts.sql"),
    ),
    (
        "link",
        "link_target",
        include_str!("../../projections/src/sql/load_looks.sql"),
    ),
    (
        "incident",
        "incident_entity",
        include_str!("../../projections/src/sql/load_incidents.sql"),
    ),
    (
        "incident",
        "incident_pkey",
        include_str!("../../projections/src/sql/update_incidents.sql"),
    ),
    (
        "outbox",
        "outbox_pkey",
        include_str!("../../projections/src/sql/hush_outbox.sql"),
    ),
];

/// A rebuild's rows stand beside those of the living views, and statistics know nothing of them yet. They are looked up
/// by their whole key all the same: a batch of verdicts that come back took a minute when it was not so.
#[tokio::test]
async fn a_rebuild_looks_rows_up_by_their_keys_whatever_the_living_views_hold() {
    let ledger = Installation::start().await;
    let client = ledger.postgres.connect(&ledger.database).await;
    client
        .batch_execute(
            "INSERT INTO views.violation (projection, violation, rule, severity, kind, id, cause_seq, judged_from, catalog,
                                          detail_key, judged)
             SELECT 1000, 'v' || n, 'r' || n % 9, 'error', 'k', 'i' || n, n, ARRAY[n], '', '', true
               FROM generate_series(1, 20000) n;
             INSERT INTO views.link (projection, source, kind, id, field, target_kind, target_id)
             SELECT 1000, n, 'k', 'i' || n, 'f', 'k', 'i' || n % 5000 FROM generate_series(1, 20000) n;
             INSERT INTO views.incident (projection, incident, class, kind, id, severity, status, rule, judged, opened_seq,
                                         opened_us, last_cause)
             SELECT 1000, 'i' || n, 'c', 'k', 'e' || n, 'error', 'open', '', true, n, n, n
               FROM generate_series(1, 20000) n;
             INSERT INTO views.outbox (projection, cause_seq, id, subject, body)
             SELECT 1000, n, 'o' || n, '', '' FROM generate_series(1, 20000) n;
             ANALYZE views.violation, views.link, views.incident, views.outbox;
             SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off;",
        )
        .await
        .expect("filled");
    for (table, index, sql) in LOOK_UPS {
        let wanted = client.prepare(sql).await.expect("a statement");
        let arguments = wanted.params().iter().map(|of| {
            // Arrays of one; the rebuild's number, and others.
            match of.name().strip_prefix('_') {
                Some(item) => format!("ARRAY[NULL]::{item}[]"),
                None => "1001".to_owned(),
            }
        });
        let arguments: Vec<String> = arguments.collect();
        let name = format!("of_{}", wanted.params().len());
        client
            .batch_execute(&format!("DEALLOCATE ALL; PREPARE {name} AS {sql}"))
            .await
            .expect("prepared");
        let explain = format!("EXPLAIN EXECUTE {name} ({})", arguments.join(", "));
        let plan = client.simple_query(&explain).await.expect("a plan");
        let lines = plan.iter().filter_map(|one| match one {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let plan = lines.collect::<Vec<_>>().join("\n");
        let there = format!("using {index} on {table}");
        // What is kept aside is all of a projection, to be gone through once a key.
        let aside = plan.contains("Materialize");
        assert!(plan.contains(&there) && !aside, "{sql}\n{plan}");
    }
}

//! The fold in its transactions: batches, the past, rebuilding, rivals, and backends that die.

use std::sync::Arc;
use std::time::Duration;

use projections::project::{self, ProjectError, Rebuild};
use projections::query::{StateRow, When, Which};
use serde_json::json;
use tests::Postgres;
use tokio::sync::{Notify, watch};

use crate::support::{CREATED_US, ENVIRONMENT, Fixture, body, main};

const STATUSES: [&str; 5] = ["provisioning", "ready", "degraded", "recovering", "retired"];

/// Forty events about three environments, legal and not, from a fixed rule.
async fn some_life(fixture: &mut Fixture) {
    let mut number = 12_345_u64;
    for _ in 0..40 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = |n: u64| usize::try_from((number >> 33) / 7 % n).expect("small");
        let id = *["staging", "production", "system"]
            .get(pick(3))
            .expect("one of three");
        let to = STATUSES
            .get(usize::try_from((number >> 40) % 5).expect("small"))
            .expect("one of five");
        let from = STATUSES
            .get(usize::try_from((number >> 45) % 5).expect("small"))
            .expect("one of five");
        match (number >> 50) % 4 {
            0 => {
                fixture
                    .environment(
                        id,
                        "created",
                        json!({ "name": id, "labels": { "n": number >> 60, "x": 1e2 } }),
                    )
                    .await
            }
            1 => {
                fixture
                    .environment(
                        id,
                        "updated",
                        json!({ "labels": { "n": 1e300, "x": null } }),
                    )
                    .await
            }
            _ => {
                fixture
                    .environment(id, "status_changed", json!({ "from": from, "to": to }))
                    .await
            }
        };
    }
}

async fn all(fixture: &Fixture, when: When) -> Vec<StateRow> {
    fixture.state(Which::default(), when).await
}

#[tokio::test]
async fn the_past_is_what_the_live_projection_had() {
    let mut fixture = Fixture::new().await;
    fixture.fold().await;
    let mut live = vec![(
        fixture.appender.head().size - 1,
        all(&fixture, When::Now).await,
    )];
    let mut number = 99_u64;
    for _ in 0..12 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let id = ["staging", "production"][usize::try_from(number >> 63).expect("a bit")];
        let to = STATUSES
            .get(usize::try_from((number >> 40) % 5).expect("small"))
            .expect("one of five");
        if (number >> 50).is_multiple_of(3) {
            fixture
                .environment(id, "created", json!({ "name": id }))
                .await;
        } else {
            fixture
                .environment(id, "status_changed", json!({ "to": to }))
                .await;
        }
        fixture.fold().await;
        live.push((
            fixture.appender.head().size - 1,
            all(&fixture, When::Now).await,
        ));
        let [(before, _), .., (_, _)] = &live[..] else {
            continue;
        };
        assert!(*before < fixture.appender.head().size);
    }
    for (seq, state) in &live {
        assert_eq!(all(&fixture, When::At(*seq)).await, *state, "at {seq}");
    }
    let (seq, state) = &live[6];
    let record = ledger::read::Reader::open(&fixture.db, &main())
        .await
        .expect("open")
        .record(*seq)
        .await;
    let known = record.expect("read").expect("there").header.recorded_us;
    assert_eq!(all(&fixture, When::AsKnown(known)).await, *state);
    assert_eq!(all(&fixture, When::AsKnown(known + 1)).await, *state);
    assert_ne!(all(&fixture, When::AsKnown(known - 1)).await, *state);
    assert_eq!(all(&fixture, When::AsKnown(CREATED_US - 1)).await, []);
}

#[tokio::test]
async fn rebuilding_gives_the_same_rows_and_publishes_nothing_again() {
    let mut fixture = Fixture::new().await;
    some_life(&mut fixture).await;
    fixture.fold().await;
    fixture.publish().await;
    some_life_after_publishing(&mut fixture).await;
    fixture.fold().await;
    let rows = fixture.rows().await;
    assert!(
        rows.iter().any(|row| row.starts_with("outbox")),
        "something is on its way"
    );
    let size = project::rebuild(&fixture.db, &main(), &Rebuild::default(), |_| ())
        .await
        .expect("rebuilt");
    assert_eq!(size, fixture.appender.head().size);
    assert_eq!(fixture.rows().await, rows);
}

async fn some_life_after_publishing(fixture: &mut Fixture) {
    fixture
        .environment("sandbox", "status_changed", json!({ "to": "ready" }))
        .await;
}

#[tokio::test]
async fn another_projector_fences_the_first() {
    let mut fixture = Fixture::new().await;
    let mut first = fixture.projector().await;
    first.step().await.expect("folded");
    let mut second = fixture.projector().await;
    fixture.environment("staging", "created", json!({})).await;
    let error = first.step().await.expect_err("fenced");
    assert!(matches!(error, ProjectError::Fenced { .. }), "{error}");
    assert_eq!(second.step().await.expect("folded"), 1);
    assert_eq!(
        fixture
            .state(
                Which {
                    kind: Some(ENVIRONMENT),
                    id: None
                },
                When::Now
            )
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn views_of_another_chain_are_refused() {
    let mut fixture = Fixture::new().await;
    fixture.environment("staging", "created", json!({})).await;
    fixture.fold().await;
    let admin = fixture.superuser().await;
    admin
        .execute(
            "UPDATE views.projection SET chain = decode(repeat('ab', 32), 'hex')",
            &[],
        )
        .await
        .expect("changed");
    let taken = project::Projector::take_over(&fixture.db, &main(), Arc::default()).await;
    assert!(
        matches!(taken, Err(ProjectError::OtherChain { .. })),
        "{taken:?}"
    );
}

/// Waits until the condition holds.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    unreachable!("it did not come about within ten seconds");
}

#[tokio::test]
async fn a_backend_that_dies_in_the_middle_of_a_batch_leaves_nothing_of_it() {
    let mut fixture = Fixture::new().await;
    let mut projector = fixture.projector().await;
    projector.step().await.expect("folded");
    let before = fixture.rows().await;
    some_life(&mut fixture).await;

    // The batch has written its states when it stops at the lock on the history.
    let admin = fixture.superuser().await;
    admin
        .batch_execute("BEGIN; LOCK TABLE views.history IN EXCLUSIVE MODE")
        .await
        .expect("locked");
    let (result, ()) = tokio::join!(projector.step(), async {
        let watcher = fixture.superuser().await;
        let blocked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until(async || !watcher.query(blocked, &[]).await.expect("rows").is_empty()).await;
        let sql = format!("SELECT pg_terminate_backend(pid) FROM ({blocked}) AS b");
        watcher.execute(&sql, &[]).await.expect("killed");
    });
    admin.batch_execute("ROLLBACK").await.expect("unlocked");
    let error = result.expect_err("the backend is gone");
    assert!(error.is_unavailable(), "{error:?}");
    assert_eq!(
        fixture.rows().await,
        before,
        "nothing of the batch is there"
    );

    // The pool may still hold the connection that was cut, until it has heard of it.
    until(async || match projector.step().await {
        Ok(folded) => folded == 0,
        Err(error) => {
            assert!(error.is_unavailable(), "{error:?}");
            false
        }
    })
    .await;
    let rows = fixture.rows().await;
    project::rebuild(&fixture.db, &main(), &Rebuild::default(), |_| ())
        .await
        .expect("rebuilt");
    assert_eq!(fixture.rows().await, rows, "the same as folded in one go");
}

#[tokio::test]
async fn the_loop_outlives_the_server() {
    let mut server = Postgres::start().await;
    server.restart().await;
    let server = Arc::new(server);
    let mut fixture = Fixture::on(server.clone()).await;
    let (stop, stopped) = watch::channel(false);
    let wake = Arc::new(Notify::new());
    let task = {
        let (db, metrics, wake) = (fixture.db.clone(), fixture.metrics.clone(), wake.clone());
        tokio::spawn(async move { project::run(&db, &main(), metrics, stopped, wake).await })
    };
    let number = fixture.appender.head().stream_seq;
    let arrivals = (0..5).map(|n| {
        let body = body(number + n, &format!("e{n}"), "created", &json!({}));
        fixture.arrival("terraform", "platform.environment.created", body, n + 1)
    });
    let arrivals: Vec<_> = arrivals.collect();
    fixture
        .appender
        .append(crate::support::STREAM, arrivals)
        .await
        .expect("appended");
    wake.notify_one();
    let which = Which {
        kind: Some(ENVIRONMENT),
        id: None,
    };
    until(async || fixture.state(which, When::Now).await.len() == 5).await;

    // Every connection is cut, as a restart of the server would.
    let admin = server.connect("postgres").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = $1";
    admin.execute(cut, &[&fixture.database]).await.expect("cut");
    let lost = fixture.db.client().await;
    drop(lost);
    tokio::time::sleep(Duration::from_millis(300)).await;
    fixture.environment("later", "created", json!({})).await;
    until(async || fixture.state(which, When::Now).await.len() == 6).await;

    stop.send(true).expect("the loop listens");
    task.await.expect("joined").expect("stopped in order");
    assert!(!fixture.keys().as_os_str().is_empty());
}

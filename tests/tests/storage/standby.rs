//! Nothing is signed that the synchronous standby does not have.

use std::sync::Arc;

use tests::Postgres;
use tests::program::eventually;

use crate::support::{Fixture, STREAM, arrivals};

#[tokio::test]
async fn what_only_the_primary_has_is_not_signed() {
    let server = Arc::new(Postgres::start().await);
    let fixture = Fixture::on(server.clone()).await;
    let mut standby = server.standby("second").await;
    let admin = fixture.superuser().await;
    for sql in [
        "ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (second)'",
        "SELECT pg_reload_conf()",
    ] {
        admin.batch_execute(sql).await.expect("a superuser may");
    }
    let is = async |condition: &str| {
        let sql = format!("SELECT EXISTS ({condition})");
        admin
            .query_one(&sql, &[])
            .await
            .expect("read")
            .get::<_, bool>(0)
    };
    eventually("the standby is synchronous", async || {
        is("SELECT FROM pg_stat_replication WHERE application_name = 'second' AND sync_state = 'sync'").await
    })
    .await;
    let mut appender = fixture.appender().await;
    let mut sealer = fixture.sealer(&[]).await.expect("nothing is sealed");
    appender
        .append(STREAM, arrivals(1, 10))
        .await
        .expect("appended");
    let mut sealed = None;
    eventually("what the standby has is signed", async || {
        sealed = sealer.prepare().await.expect("recomputed");
        sealed.is_some()
    })
    .await;
    let sealed = sealed.expect("a head");
    assert_eq!(sealed.checkpoint.size, 11);
    sealer.commit(sealed).await.expect("noted");

    // The standby goes away, and somebody cancels the wait for it: the rows are here, and here alone.
    standby.stop();
    let appending = tokio::spawn(async move { appender.append(STREAM, arrivals(11, 20)).await });
    eventually("the append waits for the standby", async || {
        is("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'").await
    })
    .await;
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    admin.batch_execute(cancel).await.expect("a superuser may");
    appending
        .await
        .expect("it does not panic")
        .expect("committed here");
    for _ in 0..5 {
        assert!(sealer.prepare().await.expect("read").is_none());
        assert_eq!(sealer.waits_for_standby(), Some(21));
    }
    standby.restart().await;
    let mut sealed = None;
    eventually("it is signed when the standby has caught up", async || {
        sealed = sealer.prepare().await.expect("recomputed");
        sealed.is_some()
    })
    .await;
    assert_eq!(sealed.expect("a head").checkpoint.size, 21);
    assert_eq!(sealer.waits_for_standby(), None);
}

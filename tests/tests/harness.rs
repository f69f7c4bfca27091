//! The harness itself: servers start, survive a kill with what they had promised, and stop.

use async_nats::jetstream::stream;
use tests::program::eventually;
use tests::{Nats, Postgres};

#[tokio::test]
async fn postgres_keeps_committed_rows_over_a_kill() {
    let mut server = Postgres::start().await;
    let database = server.create_database().await;
    let client = server.connect(&database).await;
    client
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
        .await
        .expect("written");
    server.kill();
    // A backend notices that its server is gone when it next waits for something.
    eventually("the old connection is gone", async || {
        client.simple_query("SELECT 1").await.is_err()
    })
    .await;
    server.restart().await;
    let row = server
        .connect(&database)
        .await
        .query_one("SELECT n FROM t", &[])
        .await
        .expect("kept");
    assert_eq!(row.get::<_, i32>(0), 7);
}

#[tokio::test]
async fn a_shared_server_gives_each_a_database() {
    let (one, two) = tokio::join!(Postgres::shared(), Postgres::shared());
    assert_eq!(one.folder(), two.folder());
    assert_ne!(one.create_database().await, two.create_database().await);
}

#[tokio::test]
async fn nats_keeps_its_stream_and_port_over_a_kill() {
    let mut server = Nats::start().await;
    let url = server.url();
    let jetstream = server.jetstream().await;
    let config = stream::Config {
        name: "S".to_owned(),
        subjects: vec!["s.>".to_owned()],
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await.expect("a stream");
    jetstream
        .publish("s.a", "x".into())
        .await
        .expect("sent")
        .await
        .expect("acknowledged");
    server.kill();
    server.restart().await;
    assert_eq!(server.url(), url);
    let mut stream = server
        .jetstream()
        .await
        .get_stream("S")
        .await
        .expect("kept");
    assert_eq!(stream.info().await.expect("info").state.messages, 1);
}

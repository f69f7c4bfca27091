//! The ledger falls behind in telling others, says so itself, and says when it has caught up.

use serde_json::Value;
use tests::program::eventually;
use tests::{Installation, Nats, Postgres, feed};

#[tokio::test]
async fn what_is_not_published_in_time_is_a_verdict_until_it_is() {
    let mut ledger = Installation::bare(Postgres::start().await, Nats::start().await).await;
    ledger.configure(
        "ledger.example/main",
        "[settings]\nslo = { publish = \"1s\" }",
    );
    ledger.run(["init"]).await.expect(0);
    let _silent = ledger.serve_roles(&["ingest", "project", "outbox", "clock"]);
    feed::send(
        &ledger.nats.jetstream().await,
        [(
            "ledger.main.ingest.tf.platform.environment.created",
            feed::created("e1", "staging"),
        )],
    )
    .await;
    let status = async || {
        let found = ledger
            .run(["violations", "--rule", "ledger.publish_lag", "-o", "json"])
            .await;
        let found: Value = serde_json::from_str(&found.out).unwrap_or_default();
        let all: Vec<String> = (found.as_array().into_iter().flatten())
            .filter_map(|one| Some(one.get("status")?.as_str()?.to_owned()))
            .collect();
        all
    };
    eventually("the lag is a verdict", async || status().await == ["open"]).await;
    let _speaking = ledger.serve_roles(&["notify"]);
    eventually("it is mended", async || status().await == ["cleared"]).await;
}

//! Who may publish what, from the configuration to the verdict.
#![allow(clippy::indexing_slicing, reason = "a test reports by panicking")]

use serde_json::json;
use tests::{Installation, Nats, Postgres, feed};

fn config(pattern: &str) -> String {
    format!("[settings.authorities]\n\"{pattern}\" = [\"terraform\"]")
}

#[tokio::test]
async fn a_publisher_that_may_not_is_recorded_and_named() {
    let mut ledger = Installation::bare(Postgres::start().await, Nats::start().await).await;
    ledger.configure("ledger.example/main", &config("platform.nothing.*"));
    let ran = ledger.run(["init"]).await.expect(2);
    assert!(ran.err.contains("platform.nothing.*"), "{}", ran.err);
    ledger.configure("ledger.example/main", &config("platform.environment.*"));
    ledger.run(["init"]).await.expect(0);
    let _serving = ledger.serve().await;
    let jetstream = ledger.nats.jetstream().await;
    for (publisher, name) in [("terraform", "staging"), ("cron", "sandbox")] {
        let event = feed::created(name, name);
        let subject = format!("ledger.main.ingest.{publisher}.{}", feed::type_of(&event));
        feed::send(&jetstream, [(subject, event)]).await;
    }
    ledger.settles().await;
    let state = ledger
        .ask(["state", "platform.environment", "sandbox"])
        .await;
    assert_eq!(state["status"], "provisioning", "it is a fact all the same");
    let found = ledger
        .ask(["violations", "--rule", "publisher.not_authorized"])
        .await;
    let all = found.as_array().expect("a list");
    assert_eq!(all.len(), 1, "{found}");
    assert_eq!(
        (&all[0]["id"], &all[0]["severity"], &all[0]["status"]),
        (&json!("sandbox"), &json!("error"), &json!("open"))
    );
    let said = all[0]["message"].as_str().expect("words");
    assert!(said.starts_with("cron is none of the publishers"), "{said}");
    // It is in the chain, with the settings that judged it.
    let log = ledger
        .ask(["log", "--type", "ledger.catalog.activated"])
        .await;
    let settings = &log[0]["data"]["settings"];
    assert_eq!(
        settings["authorities"]["platform.environment.*"],
        json!(["terraform"])
    );
}

//! Incidents from end to end: on their subjects, decided by commands, opened once whatever is killed, told to nobody again.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tests::{Installation, Nats, Postgres, feed};

const OPENED: &str = "ledger.main.incident.opened.critical.platform.environment";

const CLASS: &str = "environment_degraded";

/// An installation whose settings name `oncall` as operator, and not its usual publisher.
async fn installed() -> Installation {
    let mut ledger = Installation::bare(Postgres::start().await, Nats::start().await).await;
    let more = "[catalog]\noperators = \"oncall\"";
    ledger.configure("ledger.example/main", more);
    ledger.run(["init"]).await.expect(0);
    ledger
}

fn moved(id: &str, environment: &str, from: &str, to: &str) -> String {
    let mut event: Value =
        serde_json::from_str(&feed::status_changed(id, environment, from, to)).expect("JSON");
    event["data"]["validation_ref"] = json!("https://ci.example/validation/7");
    event.to_string()
}

async fn publish(ledger: &Installation, events: Vec<String>) {
    feed::publish(&ledger.nats.jetstream().await, events).await;
    ledger.settles().await;
}

/// Hears what is said on the subjects of incidents. What NATS has refused once is heard twice.
struct Ears {
    subscriber: Subscriber,
    heard: BTreeSet<String>,
}

/// The next message that is about this class or incident: the subject and the event. Deadlines that pass meanwhile open
/// others.
async fn heard(ears: &mut Ears, of: &str) -> (String, Value) {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), ears.subscriber.next());
        let message: Message = next.await.expect("in time").expect("a message");
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        let new = ears.heard.insert(event["id"].to_string());
        if new && (event["data"]["class"] == of || event["data"]["incident"] == of) {
            return (message.subject.to_string(), event);
        }
    }
}

/// Every message of the outgoing stream about an incident, in order.
async fn told(ledger: &Installation) -> Vec<(String, Value)> {
    let jetstream = ledger.nats.jetstream().await;
    let mut out = jetstream
        .get_stream("LEDGER-main-OUT")
        .await
        .expect("the stream");
    let last = out.info().await.expect("its state").state.last_sequence;
    let mut all = Vec::new();
    for number in 1..=last {
        let message = out.get_raw_message(number).await.expect("a message");
        if message.subject.starts_with("ledger.main.incident.") {
            let event = serde_json::from_slice(&message.payload).expect("JSON");
            all.push((message.subject.to_string(), event));
        }
    }
    all
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one incident from its opening to its end"
)]
async fn an_incident_is_heard_acknowledged_linked_and_ended() {
    let ledger = installed().await;
    let _serving = ledger.serve().await;
    let client = ledger.nats.connect().await;
    let heard_of = client
        .subscribe("ledger.main.incident.>")
        .await
        .expect("subscribed");
    client.flush().await.expect("NATS knows");
    let mut heard_of = Ears {
        subscriber: heard_of,
        heard: BTreeSet::new(),
    };
    publish(
        &ledger,
        vec![
            feed::created("e1", "production"),
            moved("e2", "production", "provisioning", "ready"),
            moved("e3", "production", "ready", "degraded"),
        ],
    )
    .await;
    let (subject, event) = heard(&mut heard_of, CLASS).await;
    assert_eq!(
        (subject.as_str(), &event["type"]),
        (OPENED, &json!("ledger.incident.opened"))
    );
    let incident = event["data"]["incident"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(event["id"], incident);

    let listed = ledger.ask(["incidents", "--class", CLASS]).await;
    let [one] = listed.as_array().expect("a list").as_slice() else {
        panic!("{listed}");
    };
    for key in [
        "incident",
        "class",
        "severity",
        "status",
        "kind",
        "id",
        "opened_at",
        "acknowledged_at",
        "resolved_at",
        "causes",
    ] {
        assert!(one.get(key).is_some(), "{key}: {one}");
    }
    assert_eq!(
        (&one["incident"], &one["status"]),
        (&json!(incident), &json!("open"))
    );
    assert_eq!(
        (&one["class"], &one["severity"]),
        (&json!("environment_degraded"), &json!("critical"))
    );
    assert_eq!(one["causes"], event["data"]["causes"]);
    let filters = [
        "incidents",
        "list",
        "--unresolved",
        "--class",
        CLASS,
        "--severity",
        "error",
        "--kind",
        "platform.environment",
    ];
    assert_eq!(ledger.ask(filters).await, listed);
    assert_eq!(
        ledger
            .ask(["incidents", "--class", CLASS, "--status", "resolved"])
            .await,
        json!([])
    );

    // Only operators may decide, and whoever is none is told before anything is sent.
    let begins = &incident[..8];
    let ran = ledger
        .run(["incidents", "ack", begins, "--by", "ben"])
        .await
        .expect(2);
    assert!(
        ran.err
            .contains("the publisher terraform is no operator: the settings name oncall"),
        "{}",
        ran.err
    );
    let ran = ledger
        .run(["incidents", "ack", "ffffffff", "--publisher", "oncall"])
        .await
        .expect(5);
    assert!(
        ran.err.contains("there is no incident ffffffff"),
        "{}",
        ran.err
    );
    let decide = [
        "incidents",
        "ack",
        begins,
        "--publisher",
        "oncall",
        "--by",
        "ben",
        "--note",
        "looking",
        "--wait",
    ];
    let said = ledger.ask(decide).await;
    assert_eq!(
        (&said[0]["incident"], &said[0]["status"]),
        (&json!(incident), &json!("recorded"))
    );
    let (subject, event) = heard(&mut heard_of, &incident).await;
    assert_eq!(subject, OPENED.replace("opened", "acknowledged"));
    assert_eq!(
        (&event["authid"], &event["ledgerpublisher"]),
        (&json!("ben"), &json!("oncall"))
    );
    ledger.settles().await;
    let ran = ledger.run(decide).await.expect(2);
    assert!(
        ran.err.contains("is acknowledged already, by ben"),
        "{}",
        ran.err
    );

    let link = [
        "incidents",
        "link",
        begins,
        "INC-311",
        "--url",
        "https://tickets.example/INC-311",
        "--by",
        "ben",
        "--wait",
    ];
    assert_eq!(ledger.ask(link).await[0]["status"], "recorded");
    ledger.settles().await;
    let shown = ledger.ask(["incidents", "show", begins]).await;
    let what: Vec<&str> = shown["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|one| one["what"].as_str())
        .collect();
    assert_eq!(what, ["cause", "opened", "acknowledged"], "{shown}");
    assert_eq!(
        (&shown["events"][2]["said"], &shown["acknowledged_by"]),
        (&json!("looking"), &json!("ben"))
    );
    assert_eq!(shown["links"][0]["kind"], "governance.incident", "{shown}");

    publish(
        &ledger,
        vec![
            moved("e4", "production", "degraded", "recovering"),
            moved("e5", "production", "recovering", "ready"),
        ],
    )
    .await;
    let (subject, event) = heard(&mut heard_of, &incident).await;
    assert_eq!(subject, OPENED.replace("opened", "resolved"));
    assert_eq!(
        (&event["data"]["how"], &event["ledgerpublisher"]),
        (&json!("mended"), &json!("ledger"))
    );

    // It comes back, and somebody ends it.
    publish(
        &ledger,
        vec![moved("e6", "production", "ready", "degraded")],
    )
    .await;
    let (_, event) = heard(&mut heard_of, CLASS).await;
    assert_eq!(
        (&event["data"]["reopens"], &event["causationid"]),
        (&json!(incident), &json!(incident))
    );
    let again = event["data"]["incident"]
        .as_str()
        .expect("an id")
        .to_owned();
    let decide = [
        "incidents",
        "resolve",
        &again,
        "--publisher",
        "oncall",
        "--by",
        "ben",
        "--how",
        "node replaced",
        "--wait",
    ];
    assert_eq!(ledger.ask(decide).await[0]["status"], "recorded");
    let (subject, event) = heard(&mut heard_of, &again).await;
    assert_eq!(
        (subject, &event["data"]["how"]),
        (
            OPENED.replace("opened", "resolved"),
            &json!("node replaced")
        )
    );
    ledger.settles().await;

    // A rebuild tells nobody.
    let before = told(&ledger).await;
    let listed = ledger.ask(["incidents", "--class", CLASS]).await;
    ledger.run(["rebuild"]).await.expect(0);
    ledger.settles().await;
    assert_eq!(ledger.ask(["incidents", "--class", CLASS]).await, listed);
    assert_eq!(told(&ledger).await, before);
    let wrong = ledger
        .ask(["violations", "--kind", "ledger.incident"])
        .await;
    assert_eq!(wrong, json!([]));
}

#[tokio::test]
async fn each_opens_once_whatever_is_killed() {
    let ledger = installed().await;
    let jetstream = ledger.nats.jetstream().await;
    let many = 300;
    let mut events = Vec::new();
    for number in 0..many {
        let environment = format!("env-{number}");
        events.push(feed::created(&format!("c{number}"), &environment));
        events.push(moved(
            &format!("r{number}"),
            &environment,
            "provisioning",
            "ready",
        ));
        events.push(moved(
            &format!("d{number}"),
            &environment,
            "ready",
            "degraded",
        ));
    }
    feed::publish(&jetstream, events.into_iter()).await;
    for pause_ms in [700, 300, 500, 900] {
        let serving = ledger.serve_unready();
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        serving.kill().await;
    }
    let _serving = ledger.serve().await;
    ledger.settles().await;
    let told = told(&ledger).await;
    let opened: Vec<&Value> = (told.iter())
        .filter(|(subject, event)| {
            subject.starts_with("ledger.main.incident.opened.")
                && event["data"]["class"] == "environment_degraded"
        })
        .map(|(_, event)| &event["data"])
        .collect();
    let about: BTreeSet<&str> = opened
        .iter()
        .filter_map(|data| data["id"].as_str())
        .collect();
    assert_eq!((opened.len(), about.len()), (many, many), "each once");
    let seqs: Vec<u64> = told
        .iter()
        .filter_map(|(_, event)| event["ledgerseq"].as_u64())
        .collect();
    assert!(seqs.is_sorted(), "in the order of the chain");
    let listed = ledger
        .ask(["incidents", "--class", "environment_degraded", "--all"])
        .await;
    assert_eq!(listed.as_array().map(Vec::len), Some(many));
}

//! Every message is read with the catalog of its position.

use ingest::publish::Outbound;
use schema::catalog::Activation;
use schema::{Name, Package};

use crate::support::{World, assert_complete, kinds, main};

const KIND: &str = r#"
kind = "demo.thing"
title = "Thing"
about = "A thing."
subject = "Its name."
view = "demo_things"
stateless = true
retention = "forever"

[events.made]
about = "It was made."
required = []
"#;

fn ledger_event(id: &str, event_type: &str, subject: &str, data: &serde_json::Value) -> Outbound {
    let event = serde_json::json!({
        "specversion": "1.0", "id": id, "source": "ledger://main", "type": event_type,
        "subject": subject, "data": data,
    });
    let ledger = Name::new("ledger").expect("legal");
    Outbound::new(&main(), &ledger, event.to_string().into())
}

fn thing(id: &str) -> Outbound {
    let event = serde_json::json!({
        "specversion": "1.0", "id": id, "source": "//ci", "type": "demo.thing.made",
        "subject": "a", "data": {},
    });
    Outbound::new(
        &main(),
        &Name::new("ci").expect("legal"),
        event.to_string().into(),
    )
}

fn recorded(package: &Package) -> Outbound {
    let data = serde_json::json!({
        "package": package.name().as_str(), "digest": package.digest(), "text": package.text(),
    });
    ledger_event(
        &format!("recorded-{}", package.name()),
        "ledger.catalog.recorded",
        package.name().as_str(),
        &data,
    )
}

fn activated(id: &str, packages: &[Package]) -> Outbound {
    let activation = Activation::of(packages, serde_json::json!({}));
    let data = serde_json::from_slice(&activation.data()).expect("JSON");
    ledger_event(id, "ledger.catalog.activated", "main", &data)
}

async fn publish(world: &World, items: Vec<Outbound>) {
    let js = world.nats.jetstream().await;
    for item in items {
        // Without a message id: JetStream is to let duplicates through.
        let sent = js.publish(item.subject, item.body).await.expect("sent");
        sent.await.expect("accepted");
    }
}

#[tokio::test]
async fn the_catalog_switches_at_its_position() {
    let world = World::new().await;
    let own = Package::builtin_named("ledger").expect("built in");
    let demo = Package::parse(
        Name::new("demo").expect("legal"),
        vec![("thing.toml".to_owned(), KIND.to_owned())],
    )
    .expect("a package");
    let alone = activated("alone", std::slice::from_ref(&own));
    let both = activated("both", &[own.clone(), demo.clone()]);
    publish(
        &world,
        vec![
            thing("1"),
            activated("too-early", &[own.clone(), demo.clone()]),
            recorded(&own),
            recorded(&demo),
            thing("2"),
            both.clone(),
            thing("3"),
            alone.clone(),
            thing("4"),
            // A duplicate of an old activation does not bring it back.
            both,
            thing("5"),
        ],
    )
    .await;
    let ingest = world.consume().await;
    let records = world.chain_of(12).await;
    ingest.stop().await.expect("stopped in order");
    assert_complete(&records, 11);
    let expected = [
        "ledger.chain.started",
        "ledger.event.quarantined type.unknown",
        "ledger.event.quarantined data.invalid",
        "ledger.catalog.recorded",
        "ledger.catalog.recorded",
        "ledger.event.quarantined type.unknown",
        "ledger.catalog.activated",
        "demo.thing.made",
        "ledger.catalog.activated",
        "ledger.event.quarantined type.unknown",
        "ledger.event.duplicate",
        "ledger.event.quarantined type.unknown",
    ];
    assert_eq!(kinds(&records), expected);
    // Whoever starts later goes on with the catalog of the head.
    publish(&world, vec![activated("again", &[own, demo])]).await;
    let ingest = world.consume().await;
    world.chain_of(13).await;
    ingest.stop().await.expect("stopped in order");
    publish(&world, vec![thing("6")]).await;
    let ingest = world.consume().await;
    assert_eq!(kinds(&world.chain_of(14).await)[13], "demo.thing.made");
    ingest.stop().await.expect("stopped in order");
}

//! Links in the database: kept with the entity, dangling until the target arrives, derived anew when the catalog
//! indexes other places.

use schema::{Name, Package};
use serde_json::{Value, json};

use crate::support::Fixture;

/// Every reference of the living views: who, where, whom, and whether that is missing. Rules index plain values, too.
async fn links(fixture: &Fixture) -> Vec<(String, String, String, bool)> {
    let client = fixture.superuser().await;
    let sql = "SELECT kind || '/' || id, field, target_kind || '/' || target_id, dangling
                 FROM views.live_link WHERE target_kind <> '' ORDER BY 1, 2, 3";
    let rows = client.query(sql, &[]).await.expect("rows");
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

fn link(from: &str, field: &str, to: &str, dangling: bool) -> (String, String, String, bool) {
    (from.to_owned(), field.to_owned(), to.to_owned(), dangling)
}

/// A tool's event about an entity of any kind.
async fn send(fixture: &mut Fixture, event_type: &str, subject: &str, data: Value) {
    let number = fixture.appender.head().stream_seq;
    let body = json!({
        "specversion": "1.0", "id": format!("l{number}"), "source": "urn:test", "type": event_type,
        "subject": subject, "data": data,
    });
    let outcome = fixture
        .send("terraform", event_type, body.to_string().into_bytes())
        .await;
    assert_eq!(outcome.kind, ledger::append::Kind::Recorded, "{event_type}");
}

/// Valves that feed one another; whether the catalog says so is the question.
fn plant(reference: bool, about: &str) -> Package {
    let reference = if reference {
        "reference = \"plant.valve\"\n"
    } else {
        ""
    };
    let text = format!(
        "kind = \"plant.valve\"\ntitle = \"Valve\"\nabout = \"{about}\"\nsubject = \"Its number.\"\n\
         view = \"valves\"\nretention = \"forever\"\n\
         [fields.feeds]\ntype = \"array\"\nof = {{ type = \"string\" }}\nabout = \"What it feeds.\"\n{reference}\
         [events.set]\nabout = \"It was set.\"\ncreates = true\ncarries = \"all\"\n"
    );
    let name = Name::new("plant").expect("legal");
    Package::parse(name, vec![("valve.toml".to_owned(), text)]).expect("it loads")
}

#[tokio::test]
async fn a_link_dangles_until_its_target_arrives() {
    let mut fixture = Fixture::new().await;
    let policy = "platform.access_policy";
    let granted = json!({ "environment": "staging", "role": "read-only", "permissions": ["get"] });
    send(
        &mut fixture,
        &format!("{policy}.granted"),
        "staging/read-only",
        granted,
    )
    .await;
    fixture.fold().await;
    let from = "platform.access_policy/staging/read-only";
    let dangling = link(from, "environment", "platform.environment/staging", true);
    assert_eq!(links(&fixture).await, [dangling]);

    fixture.environment("staging", "created", json!({})).await;
    fixture.fold().await;
    let resolved = link(from, "environment", "platform.environment/staging", false);
    assert_eq!(links(&fixture).await, [resolved]);

    let moved = json!({ "environment": "production" });
    send(
        &mut fixture,
        &format!("{policy}.updated"),
        "staging/read-only",
        moved,
    )
    .await;
    fixture.fold().await;
    let elsewhere = link(from, "environment", "platform.environment/production", true);
    assert_eq!(links(&fixture).await, [elsewhere]);
}

/// The view says of it what `ledger show` says.
#[tokio::test]
async fn what_has_no_state_is_there_once_it_has_a_history() {
    let mut fixture = Fixture::new().await;
    let probe = "kind = \"lab.probe\"\ntitle = \"Probe\"\nabout = \"A probe.\"\nsubject = \"Its number.\"\n\
                 view = \"probes\"\nretention = \"forever\"\n\
                 [fields.last]\ntype = \"string\"\nreference = \"lab.reading\"\nabout = \"What it read.\"\n\
                 [events.set]\nabout = \"It was set.\"\ncreates = true\ncarries = \"all\"\n";
    let reading = "kind = \"lab.reading\"\ntitle = \"Reading\"\nabout = \"What was read.\"\nsubject = \"Its number.\"\n\
                   view = \"readings\"\nretention = \"forever\"\nstateless = true\n\
                   [events.taken]\nabout = \"It was taken.\"\n";
    let files = [("probe.toml", probe), ("reading.toml", reading)];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let lab = Package::parse(Name::new("lab").expect("legal"), files.to_vec());
    let mut packages = Package::builtin().expect("the built-in packages load");
    packages.push(lab.expect("it loads"));
    fixture.activate(&packages).await;
    send(&mut fixture, "lab.probe.set", "p", json!({ "last": "r1" })).await;
    fixture.fold().await;
    let to = |dangling| link("lab.probe/p", "last", "lab.reading/r1", dangling);
    assert_eq!(links(&fixture).await, [to(true)]);
    send(&mut fixture, "lab.reading.taken", "r1", json!({})).await;
    fixture.fold().await;
    assert_eq!(links(&fixture).await, [to(false)]);
}

#[tokio::test]
async fn a_catalog_that_indexes_more_derives_the_links_of_what_is_there() {
    let mut fixture = Fixture::new().await;
    let with = |plant: Package| {
        let mut packages = Package::builtin().expect("the built-in packages load");
        packages.push(plant);
        packages
    };
    fixture.activate(&with(plant(false, "A valve."))).await;
    for number in 0..12 {
        let feeds = json!({ "feeds": [format!("v{}", number + 1), format!("v{}", number + 2)] });
        send(
            &mut fixture,
            "plant.valve.set",
            &format!("v{number}"),
            feeds,
        )
        .await;
    }
    fixture.fold().await;
    assert_eq!(links(&fixture).await, []);

    fixture.activate(&with(plant(true, "A valve."))).await;
    send(
        &mut fixture,
        "plant.valve.set",
        "v0",
        json!({ "feeds": ["v5"] }),
    )
    .await;
    fixture.fold().await;
    let found = links(&fixture).await;
    assert_eq!(found.len(), 1 + 11 * 2, "{found:?}");
    assert!(found.contains(&link("plant.valve/v0", "feeds[]", "plant.valve/v5", false)));
    assert!(found.contains(&link("plant.valve/v11", "feeds[]", "plant.valve/v13", true)));

    fixture.activate(&with(plant(false, "A valve, too."))).await;
    fixture.fold().await;
    assert_eq!(links(&fixture).await, [], "nothing is indexed any more");
}

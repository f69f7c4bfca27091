//! Events of any kind, and what the views answer to plain SQL.

use schema::{Name, Package};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::Fixture;

/// An event of any kind; gives its position.
pub async fn event(
    fixture: &mut Fixture,
    event_type: &str,
    id: &str,
    time: &str,
    data: Value,
) -> u64 {
    let number = fixture.appender.head().stream_seq;
    let body = json!({
        "specversion": "1.0", "id": format!("v{number}"), "source": "https://ci.example/infra", "type": event_type,
        "subject": id, "authid": "alice", "time": time, "data": data,
    });
    let outcome = fixture
        .send("terraform", event_type, body.to_string().into_bytes())
        .await;
    assert_eq!(
        outcome.kind,
        ledger::append::Kind::Recorded,
        "{event_type} {body}"
    );
    outcome.seq
}

/// One row as JSON.
pub async fn row(client: &Client, sql: &str) -> Value {
    let rows = rows(client, sql).await;
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.into_iter().next().unwrap_or_default()
}

/// Rows as JSON.
pub async fn rows(client: &Client, sql: &str) -> Vec<Value> {
    let sql = format!("SELECT to_json(r)::text FROM ({sql}) r");
    let rows = client.query(&sql, &[]).await.expect("rows");
    rows.iter()
        .map(|row| serde_json::from_str(row.get(0)).expect("JSON"))
        .collect()
}

/// The columns of a view, and their types.
pub async fn columns(client: &Client, view: &str) -> Vec<(String, String)> {
    let sql = "SELECT column_name::text, CASE data_type WHEN 'timestamp with time zone' THEN 'timestamptz' \
               ELSE data_type::text END FROM information_schema.columns \
               WHERE table_schema = 'views' AND table_name = $1 ORDER BY ordinal_position";
    let rows = client.query(sql, &[&view]).await.expect("rows");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// A package with one kind.
pub fn package(name: &str, text: &str) -> Package {
    let name = Name::new(name).expect("a name");
    Package::parse(name, vec![("lamp.toml".to_owned(), text.to_owned())]).expect("it loads")
}

/// A kind that no built-in package has.
pub const LAMP: &str = r#"
kind = "lab.lamp"
title = "Lamp"
about = "A lamp."
subject = "Its number."
view = "lamps"
retention = "forever"

[fields.watts]
type = "integer"
about = "How many it takes."

[fields.id]
type = "string"
about = "What it's called on its label, \\ and all."

[events.lit]
about = "It was lit."
creates = true
carries = "all"
"#;

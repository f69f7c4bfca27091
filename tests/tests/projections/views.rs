//! The views that people read: one a kind, and derived ones, made with the catalog at its position.

use projections::view;
use schema::{Catalog, Package};
use serde_json::{Value, json};

use crate::asking::{LAMP, columns, event, package, row, rows};
use crate::support::Fixture;

#[tokio::test]
async fn every_kind_has_its_view_as_documented_and_readers_see_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.fold().await;
    let client = fixture.superuser().await;
    let packages = Package::builtin().expect("the built-in packages load");
    let catalog = Catalog::of(&packages, json!({})).expect("it compiles");
    let views = view::catalog(&catalog);
    for kind in catalog.kinds() {
        let name = kind.name.to_string();
        let own = views.iter().find(|one| one.kind.as_ref() == Some(&name));
        assert_eq!(
            own.map(|one| one.name.clone()),
            Some(format!("{}_{}", kind.name.package, kind.view))
        );
    }
    client
        .batch_execute("SET ROLE ledger_reader")
        .await
        .expect("the role");
    for one in &views {
        let documented: Vec<(String, String)> = one
            .columns
            .iter()
            .map(|column| (column.name.clone(), column.column_type.to_string()))
            .collect();
        assert_eq!(
            columns(&client, &one.name).await,
            documented,
            "{}",
            one.name
        );
        rows(&client, &format!("SELECT * FROM views.\"{}\"", one.name)).await;
    }
    client.batch_execute("RESET ROLE").await.expect("back");
    let readable = "SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                    WHERE n.nspname IN ('views', 'ledger', 'public') AND c.relkind IN ('r', 'p', 'v', 'm') \
                    AND has_table_privilege('ledger_reader', c.oid, 'SELECT') ORDER BY 1";
    let readable: Vec<String> = rows(&client, readable)
        .await
        .iter()
        .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    let names: Vec<String> = views.iter().map(|one| one.name.clone()).collect();
    assert_eq!(readable, names);
    let changeable = "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'views'::regnamespace \
                      AND has_table_privilege('ledger_reader', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')";
    assert_eq!(rows(&client, changeable).await, Vec::<Value>::new());
    let said = "SELECT obj_description('views.platform_environments'::regclass) AS view, \
                col_description('views.platform_environments'::regclass, 10) AS column";
    let said = row(&client, said).await;
    assert!(
        said["view"]
            .as_str()
            .is_some_and(|text| text.starts_with("A logical partition")),
        "{said}"
    );
    assert!(said["column"].is_string(), "{said}");
}

#[tokio::test]
async fn values_have_plain_types_and_what_does_not_fit_is_null() {
    let mut fixture = Fixture::new().await;
    let environment = json!({
        "name": "staging", "namespace": "env-staging", "labels": { "team": "a", "tier": "b" },
        "quota": { "cpu": "4", "pods": 40 },
    });
    let time = "2026-07-01T10:00:00.1234567+02:00";
    let seq = event(
        &mut fixture,
        "platform.environment.created",
        "staging",
        time,
        environment,
    )
    .await;
    fixture.fold().await;
    let client = fixture.superuser().await;
    let found = row(&client, "SELECT * FROM views.platform_environments").await;
    assert_eq!(
        found,
        json!({
            "ledger": "main", "id": "staging", "status": "provisioning", "since": "2026-07-01T08:00:00.123456+00:00",
            "created_at": "2026-07-01T08:00:00.123456+00:00", "updated_at": "2026-07-01T08:00:00.123456+00:00",
            "seq": seq, "created_seq": seq, "redacted": false, "name": "staging", "namespace": "env-staging",
            "labels": "{\"team\":\"a\",\"tier\":\"b\"}", "labels_count": 2, "quota_cpu": "4", "quota_memory": null,
            "quota_pods": "40",
        })
    );
    // What an earlier catalog let in may not fit the types of this one.
    client
        .batch_execute(
            "UPDATE views.entity SET attributes = '{\"labels\": 3, \"quota\": [1], \"name\": {\"a\": 1}}' \
             WHERE kind = 'platform.environment'",
        )
        .await
        .expect("changed");
    let odd = row(&client, "SELECT * FROM views.platform_environments").await;
    assert_eq!(odd["labels_count"], Value::Null);
    assert_eq!(
        (&odd["labels"], &odd["quota_cpu"]),
        (&json!("3"), &Value::Null)
    );
    for (said, read) in [
        ("2026-02-30T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("2026-04-31T00:00:00Z", None),
        ("2026-01-00T00:00:00Z", None),
        ("2026-01-39T00:00:00Z", None),
        ("2026-07-01T00:00:00123Z", None),
        ("2026-07-01T24:00:00Z", None),
        ("2024-02-29T00:00:00Z", Some("2024-02-29T00:00:00+00:00")),
        (
            "9999-12-31T23:59:59.9999999Z",
            Some("9999-12-31T23:59:59.999999+00:00"),
        ),
        ("now", None),
        ("2026-07-01", None),
        (
            "2026-07-01T23:59:59-23:59",
            Some("2026-07-02T23:58:59+00:00"),
        ),
        (
            "2026-07-01t00:00:00.5z",
            Some("2026-07-01T00:00:00.5+00:00"),
        ),
    ] {
        let sql = format!("SELECT views.as_time('{said}') AS time");
        assert_eq!(row(&client, &sql).await["time"], json!(read), "{said}");
    }
    // PostgreSQL may divide a large table among workers, which may not catch errors.
    client
        .batch_execute(
            "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; \
             CREATE TABLE said AS SELECT '2026-07-01T00:00:00Z'::text AS time FROM generate_series(1, 20000); ANALYZE said",
        )
        .await
        .expect("filled");
    let many = row(
        &client,
        "SELECT count(views.as_time(time)) AS many FROM said",
    )
    .await;
    assert_eq!(many["many"], json!(20000));
}

#[tokio::test]
async fn the_views_follow_the_catalog() {
    let mut fixture = Fixture::new().await;
    let client = fixture.superuser().await;
    let with = |text: &str| {
        let mut packages = Package::builtin().expect("the built-in packages load");
        packages.push(package("lab", text));
        packages
    };
    fixture.activate(&with(LAMP)).await;
    event(
        &mut fixture,
        "lab.lamp.lit",
        "7",
        "2026-07-01T10:00:00Z",
        json!({ "watts": 8, "id": "L7" }),
    )
    .await;
    fixture.fold().await;
    let found = row(&client, "SELECT id, data_id, watts FROM views.lab_lamps").await;
    assert_eq!(found, json!({ "id": "7", "data_id": "L7", "watts": 8 }));
    // Somebody reads it; a column more at the end leaves that alone, another order does not.
    client
        .batch_execute(
            "CREATE SCHEMA mine; CREATE VIEW mine.lamps AS SELECT id, watts FROM views.lab_lamps",
        )
        .await
        .expect("made");
    let more = LAMP.replace(
        "[events.lit]",
        "[fields.on]\ntype = \"boolean\"\nabout = \"Whether it is on.\"\n\n[events.lit]",
    );
    fixture.activate(&with(&more)).await;
    fixture.fold().await;
    let names: Vec<String> = columns(&client, "lab_lamps")
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.last().map(String::as_str), Some("on"));
    assert_eq!(
        row(&client, "SELECT * FROM mine.lamps").await["watts"],
        json!(8)
    );
    let other = more.replace("type = \"integer\"", "type = \"string\"");
    fixture.activate(&with(&other)).await;
    fixture.fold().await;
    let odd = row(&client, "SELECT watts, \"on\" FROM views.lab_lamps").await;
    assert_eq!(odd, json!({ "watts": "8", "on": null }));
    let mut packages = Package::builtin().expect("the built-in packages load");
    packages.push(package("den", &LAMP.replace("lab.", "den.")));
    fixture.activate(&packages).await;
    fixture.fold().await;
    assert_eq!(columns(&client, "lab_lamps").await, []);
    assert_ne!(columns(&client, "den_lamps").await, []);
    // What somebody dropped is there again after a start, and nothing is made twice.
    client
        .batch_execute("DROP VIEW views.platform_environments; DROP VIEW views.live_entity CASCADE")
        .await
        .expect("dropped");
    drop(fixture.projector().await);
    rows(&client, "SELECT * FROM views.platform_environments").await;
    rows(&client, "SELECT * FROM views.platform_alerts").await;
    let made = "SELECT max(made) AS last FROM views.made_view";
    let before = row(&client, made).await;
    drop(fixture.projector().await);
    assert_eq!(row(&client, made).await, before);
    client
        .batch_execute("SELECT views.drop_made()")
        .await
        .expect("dropped");
    assert_eq!(columns(&client, "platform_alerts").await, []);
    drop(fixture.projector().await);
    rows(&client, "SELECT * FROM views.platform_alerts").await;
}

#[tokio::test]
async fn statuses_last_from_one_event_to_the_next() {
    let mut fixture = Fixture::new().await;
    let kind = "platform.environment";
    let mut seqs = Vec::new();
    for (verb, time, data) in [
        (
            "created",
            "2026-07-01T10:00:00Z",
            json!({ "name": "staging" }),
        ),
        (
            "updated",
            "2026-07-01T10:10:00Z",
            json!({ "namespace": "env-staging" }),
        ),
        (
            "status_changed",
            "2026-07-01T10:30:00Z",
            json!({ "from": "provisioning", "to": "ready" }),
        ),
        (
            "status_changed",
            "2026-07-01T10:20:00Z",
            json!({ "from": "ready", "to": "degraded" }),
        ),
    ] {
        seqs.push(
            event(
                &mut fixture,
                &format!("{kind}.{verb}"),
                "staging",
                time,
                data,
            )
            .await,
        );
    }
    fixture.fold().await;
    let client = fixture.superuser().await;
    let found = rows(
        &client,
        "SELECT id, status, seconds, open, from_seq, until_seq, until_at FROM views.status_intervals \
         WHERE kind = 'platform.environment' AND NOT open ORDER BY from_seq",
    )
    .await;
    assert_eq!(
        found,
        [
            json!({ "id": "staging", "status": "provisioning", "seconds": 1800, "open": false, "from_seq": seqs[0],
                    "until_seq": seqs[2], "until_at": "2026-07-01T10:30:00+00:00" }),
            json!({ "id": "staging", "status": "ready", "seconds": 0, "open": false, "from_seq": seqs[2],
                    "until_seq": seqs[3], "until_at": "2026-07-01T10:20:00+00:00" }),
        ]
    );
    let open = row(
        &client,
        "SELECT status, seconds > 0 AS lasts, until_at FROM views.status_intervals WHERE open \
                             AND kind = 'platform.environment'",
    )
    .await;
    assert_eq!(
        open,
        json!({ "status": "degraded", "lasts": true, "until_at": null })
    );
    let history = rows(
        &client,
        "SELECT seq, to_status FROM views.platform_environment_history ORDER BY seq",
    )
    .await;
    assert_eq!(history.len(), 4);
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of events and what comes of them"
)]
async fn who_was_allowed_what_follows_grants_ends_and_revocations() {
    let mut fixture = Fixture::new().await;
    let grant = |role: &str, verbs: &str, more: Value| {
        let mut data = json!({ "environment": "production", "role": role, "permissions": [{ "verbs": [verbs] }],
                               "holder": "ann" });
        if let (Some(data), Value::Object(more)) = (data.as_object_mut(), more) {
            data.extend(more);
        }
        data
    };
    for (verb, role, time, data) in [
        (
            "granted",
            "app-team",
            "2026-07-01T10:00:00Z",
            grant(
                "app-team",
                "get",
                json!({ "expiry": "2026-07-02T00:00:00Z" }),
            ),
        ),
        (
            "updated",
            "app-team",
            "2026-07-01T12:00:00Z",
            json!({ "permissions": [{ "verbs": ["list"] }] }),
        ),
        (
            "reviewed",
            "app-team",
            "2026-07-01T13:00:00Z",
            json!({ "environment": "production", "role": "app-team" }),
        ),
        ("expired", "app-team", "2026-07-02T01:00:00Z", json!({})),
        (
            "granted",
            "read-only",
            "2026-07-01T10:00:00Z",
            grant(
                "read-only",
                "get",
                json!({ "granted_at": "2026-06-30T00:00:00Z" }),
            ),
        ),
        ("revoked", "read-only", "2026-07-05T10:00:00Z", json!({})),
        (
            "granted",
            "break-glass",
            "2026-07-01T10:00:00Z",
            grant(
                "break-glass",
                "*",
                json!({ "expiry": "soon", "incident_ref": "INC-1" }),
            ),
        ),
    ] {
        // `soon` is no time: it is refused at the door, so the ledger knows no end.
        let data = if data["expiry"] == "soon" {
            grant("break-glass", "*", json!({ "incident_ref": "INC-1" }))
        } else {
            data
        };
        event(
            &mut fixture,
            &format!("platform.access_policy.{verb}"),
            &format!("production/{role}"),
            time,
            data,
        )
        .await;
    }
    fixture.fold().await;
    let client = fixture.superuser().await;
    let found = rows(
        &client,
        "SELECT role, holder, permissions, valid_from, valid_to, ended_by FROM views.platform_access_allowed \
         ORDER BY role, valid_from",
    )
    .await;
    let line = |role: &str, verbs: &str, from: &str, to: Option<&str>, ended: Option<&str>| {
        json!({ "role": role, "holder": "ann", "permissions": format!("[{{\"verbs\":[\"{verbs}\"]}}]"), "valid_from": from,
                "valid_to": to, "ended_by": ended })
    };
    assert_eq!(
        found,
        [
            line(
                "app-team",
                "get",
                "2026-07-01T10:00:00+00:00",
                Some("2026-07-01T12:00:00+00:00"),
                Some("updated")
            ),
            line(
                "app-team",
                "list",
                "2026-07-01T12:00:00+00:00",
                Some("2026-07-02T00:00:00+00:00"),
                Some("expiry")
            ),
            line("break-glass", "*", "2026-07-01T10:00:00+00:00", None, None),
            line(
                "read-only",
                "get",
                "2026-06-30T00:00:00+00:00",
                Some("2026-07-05T10:00:00+00:00"),
                Some("revoked")
            ),
        ]
    );
    // Once its data is deleted, neither grant nor holder is shown.
    client
        .batch_execute(
            "UPDATE views.entity SET redacted_seq = created_seq WHERE id = 'production/read-only'",
        )
        .await
        .expect("changed");
    let hidden = row(&client, "SELECT holder, role, redacted FROM views.platform_access_policies WHERE id = 'production/read-only'").await;
    assert_eq!(
        hidden,
        json!({ "holder": null, "role": "read-only", "redacted": true })
    );
}

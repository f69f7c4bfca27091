//! What the database itself refuses, and what each role may do.

use ledger::append::Appender;
use ledger::db::Database;
use ledger::init::{self, InitError};
use ledger::migrate::{self, MigrateError};
use ledger::seal::Sealer;

use crate::seal::signer;
use crate::support::{CREATED_US, Fixture, ORIGIN, STREAM, arrivals, main};

/// The SQLSTATE of a refusal, or nothing.
async fn code(client: &tokio_postgres::Client, sql: &str) -> Option<String> {
    let error = client.batch_execute(sql).await.err()?;
    error.code().map(|code| code.code().to_owned())
}

#[tokio::test]
async fn headers_are_not_changed_even_by_their_owner() {
    let fixture = Fixture::new().await;
    let admin = fixture.superuser().await;
    for sql in [
        "UPDATE ledger.event SET actor = 'x'",
        "DELETE FROM ledger.event",
        "TRUNCATE ledger.event",
        "TRUNCATE ledger.event CASCADE",
        "UPDATE ledger.seen SET seq = 1",
        "DELETE FROM ledger.seen",
        "DELETE FROM ledger.tile",
        "UPDATE ledger.checkpoint SET note = ''",
        "TRUNCATE ledger.head CASCADE",
        "DELETE FROM ledger.head",
        "UPDATE ledger.body SET data = ''",
        "TRUNCATE ledger.body",
    ] {
        assert_eq!(code(&admin, sql).await.as_deref(), Some("42501"), "{sql}");
    }
}

#[tokio::test]
async fn each_role_may_do_its_own_work_and_nothing_else() {
    let fixture = Fixture::new().await;
    let client = fixture.superuser().await;
    let cases = [
        ("ledger_reader", "SELECT FROM ledger.event"),
        ("ledger_reader", "SELECT FROM ledger.head"),
        (
            "ledger_auditor",
            "INSERT INTO ledger.seen VALUES (1, 1, gen_random_uuid())",
        ),
        ("ledger_auditor", "UPDATE ledger.head SET epoch = 9"),
        ("ledger_auditor", "DELETE FROM ledger.body"),
        ("ledger_auditor", "SELECT ledger.delete_data(1, 1, 0, '{}')"),
        ("ledger_projector", "DELETE FROM ledger.body"),
        ("ledger_projector", "UPDATE ledger.head SET epoch = 9"),
        ("ledger_retention", "DELETE FROM ledger.body"),
        ("ledger_retention", "SELECT ledger.make_room(1, 5000000)"),
        ("ledger_writer", "DELETE FROM ledger.body"),
        ("ledger_writer", "UPDATE ledger.event SET actor = 'x'"),
        ("ledger_writer", "UPDATE ledger.head SET origin = 'x'"),
        ("ledger_writer", "DROP TABLE ledger.event"),
        (
            "ledger_writer",
            "ALTER TABLE ledger.event DISABLE TRIGGER ALL",
        ),
        ("ledger_writer", "TRUNCATE ledger.event"),
        ("ledger_writer", "SELECT ledger.delete_data(1, 0, 0, '{}')"),
        ("ledger_writer", "CREATE TABLE ledger.mine (a int)"),
    ];
    for (role, sql) in cases {
        let refused = code(&client, &format!("SET ROLE {role}; {sql}")).await;
        assert_eq!(refused.as_deref(), Some("42501"), "{role}: {sql}");
        client.batch_execute("RESET ROLE").await.expect("back");
    }
    for (role, sql) in [
        (
            "ledger_auditor",
            "SELECT FROM ledger.event, ledger.body, ledger.checkpoint, ledger.tile",
        ),
        (
            "ledger_projector",
            "SELECT FROM ledger.event, ledger.body, ledger.head",
        ),
        ("ledger_retention", "SELECT FROM ledger.event"),
    ] {
        assert_eq!(
            code(&client, &format!("SET ROLE {role}; {sql}")).await,
            None,
            "{role}: {sql}"
        );
    }
}

#[tokio::test]
async fn the_writer_makes_appends_and_seals_a_ledger() {
    let fixture = Fixture::new().await;
    let mut config = fixture.server.config(&fixture.database);
    config.options("-c role=ledger_writer");
    let db = Database::connect(config, 4);
    let mut appender = Appender::take_over(db.clone(), &main(), fixture.keyring.clone())
        .await
        .expect("taken over");
    appender
        .append(STREAM, arrivals(1, 300))
        .await
        .expect("appended");
    let mut sealer = Sealer::open(db.clone(), &main(), signer(), &[])
        .await
        .expect("opened");
    let sealed = sealer
        .prepare()
        .await
        .expect("recomputed")
        .expect("something new");
    sealer.commit(sealed).await.expect("sealed");
    let second = schema::LedgerName::new("second").expect("legal");
    init::create(
        &db,
        &second,
        "ledger.example/second",
        CREATED_US,
        &fixture.keyring,
    )
    .await
    .expect("made");
    let again = init::create(
        &db,
        &main(),
        "ledger.example/other",
        CREATED_US,
        &fixture.keyring,
    )
    .await;
    assert!(matches!(again, Err(InitError::Exists { origin, .. }) if origin == ORIGIN));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_migrating_twice_at_once_is_not() {
    let server = tests::Postgres::shared().await;
    let db = Database::connect(server.config(&server.create_database().await), 4);
    let (one, two) = tokio::join!(migrate::CHAIN.run(&db), migrate::CHAIN.run(&db));
    let applied = [one.expect("migrated"), two.expect("migrated")].concat();
    assert_eq!(
        applied.len(),
        usize::try_from(migrate::CHAIN.version()).expect("small")
    );
    let client = db.client().await.expect("connected");
    let newer =
        "INSERT INTO ledger.schema_history VALUES (900, 'later', '2030-01-01T00:00:00Z', '1')";
    client.batch_execute(newer).await.expect("inserted");
    let refused = migrate::CHAIN.run(&db).await;
    let ours = migrate::CHAIN.version();
    assert!(
        matches!(&refused, Err(MigrateError::Newer { ours: known, theirs: 900, .. }) if *known == ours),
        "{refused:?}"
    );
}

/// A machine that is gone without a word must not keep its locks for the two hours that systems take to notice.
#[tokio::test]
async fn a_session_asks_whether_the_other_side_is_there() {
    let server = tests::Postgres::start_tcp().await;
    let mut config = tokio_postgres::Config::new();
    let config = config.host("127.0.0.1").port(server.port());
    let config = config
        .user(tests::postgres::SUPERUSER)
        .dbname("postgres")
        .clone();
    let client = Database::connect(config, 1)
        .client()
        .await
        .expect("connected");
    let row = client
        .query_one(
            "SELECT sum(setting::integer) FROM pg_settings WHERE name LIKE 'tcp_keepalives%'",
            &[],
        )
        .await
        .expect("asked");
    // 30 s of silence, then three questions 10 s apart.
    assert_eq!(row.get::<_, i64>(0), 30 + 10 + 3);
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let mut config = tokio_postgres::Config::new();
    config.host_path("/nowhere").user("nobody").dbname("ledger");
    let db = Database::connect(config, 1);
    let error = db.client().await.expect_err("nothing is there");
    assert!(error.is_unavailable());
    assert!(
        error.to_string().contains("/nowhere:5432/ledger"),
        "{error}"
    );
}

//! Brings the schema `ledger` to the form that this program writes.
//!
//! Migrations are embedded. They run under an advisory lock (refinery takes none), each in a transaction
//! of its own, and are noted in `ledger.schema_history`. A database that a newer program has migrated is
//! refused: we do not know what its columns mean.

use crate::db::{Database, DbError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

const HISTORY: &str = "ledger.schema_history";
/// Any number, as long as it stays: two programs that migrate at once must agree on it.
const LOCK: i64 = 0x6c65_6467_6572;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program was here.
    #[error(
        "the schema `ledger` in {server} is at version {theirs} and this program knows {ours}: run a \
         program that knows version {theirs}"
    )]
    Newer {
        /// The server.
        server: String,
        /// The newest version that this program knows.
        ours: i32,
        /// The version that the database is at.
        theirs: i32,
    },
    /// A migration failed, or one that was applied is not the one that this program knows.
    #[error("migrating the schema `ledger` in {server} failed")]
    Migration {
        /// The server.
        server: String,
        /// What refinery says.
        #[source]
        source: Box<refinery::Error>,
    },
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] DbError),
}

/// The newest version that this program knows.
pub fn version() -> i32 {
    let newest = embedded::migrations::runner()
        .get_migrations()
        .iter()
        .map(refinery::Migration::version)
        .max();
    newest.unwrap_or(0)
}

/// Applies what is missing, in order, and gives the versions that were applied.
pub async fn run(db: &Database) -> Result<Vec<i32>, MigrateError> {
    // A connection that does not go back to the pool: the lock ends with it, whatever happens here.
    let mut client = deadpool_postgres::Object::take(db.client().await?);
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(db.error("waiting for the lock on migrations"))?;
    run_locked(db, &mut client).await
}

async fn run_locked(
    db: &Database,
    client: &mut tokio_postgres::Client,
) -> Result<Vec<i32>, MigrateError> {
    let failed = db.error("migrating");
    let exists = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&HISTORY])
        .await
        .map_err(&failed)?
        .get::<_, bool>(0);
    if exists {
        check(db, client).await?;
    } else {
        client
            .batch_execute("CREATE SCHEMA IF NOT EXISTS ledger")
            .await
            .map_err(&failed)?;
    }
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(HISTORY);
    let report = runner.run_async(client).await;
    let report = report.map_err(|source| MigrateError::Migration {
        server: db.server().to_owned(),
        source: Box::new(source),
    })?;
    Ok(report
        .applied_migrations()
        .iter()
        .map(refinery::Migration::version)
        .collect())
}

/// Refuses a schema that a newer program has written. Also for programs that only read.
pub async fn check(db: &Database, client: &tokio_postgres::Client) -> Result<(), MigrateError> {
    let theirs = client
        .query_one(include_str!("sql/schema_version.sql"), &[])
        .await
        .map_err(db.error("reading the schema's version"))?
        .get::<_, Option<i32>>(0)
        .unwrap_or(0);
    let ours = version();
    if theirs > ours {
        return Err(MigrateError::Newer {
            server: db.server().to_owned(),
            ours,
            theirs,
        });
    }
    Ok(())
}

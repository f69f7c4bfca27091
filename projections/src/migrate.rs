//! Brings the schema `views` to the form that this program writes.
//!
//! As with the schema `ledger`: embedded, under an advisory lock, noted in `views.schema_history`, and a
//! database that a newer program has migrated is refused. The schema `ledger` is migrated first: it makes
//! the roles.

use ledger::db::{Database, DbError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

const HISTORY: &str = "views.schema_history";
/// Any number of our own, as long as it stays.
const LOCK: i64 = 0x0076_6965_7773;

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program was here.
    #[error(
        "the schema `views` in {server} is at version {theirs} and this program knows {ours}: run a \
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
    #[error("migrating the schema `views` in {server} failed")]
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
    let runner = embedded::migrations::runner();
    let versions = runner
        .get_migrations()
        .iter()
        .map(refinery::Migration::version);
    versions.max().unwrap_or(0)
}

/// Applies what is missing, in order, and gives the versions that were applied.
pub async fn run(db: &Database) -> Result<Vec<i32>, MigrateError> {
    // A connection that does not go back to the pool: the lock ends with it, whatever happens here.
    let mut client = deadpool_postgres::Object::take(db.client().await?);
    client
        .execute("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(db.error("waiting for the lock on migrations"))?;
    let failed = db.error("migrating");
    let exists = client
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&HISTORY])
        .await
        .map_err(&failed)?
        .get::<_, bool>(0);
    if exists {
        check(db, &client).await?;
    } else {
        client
            .batch_execute("CREATE SCHEMA IF NOT EXISTS views")
            .await
            .map_err(&failed)?;
    }
    let mut runner = embedded::migrations::runner();
    runner.set_migration_table_name(HISTORY);
    let client: &mut tokio_postgres::Client = &mut client;
    let report = runner
        .run_async(client)
        .await
        .map_err(|source| MigrateError::Migration {
            server: db.server().to_owned(),
            source: Box::new(source),
        })?;
    Ok(report
        .applied_migrations()
        .iter()
        .map(refinery::Migration::version)
        .collect())
}

/// Refuses a schema that a newer program has written.
async fn check(db: &Database, client: &tokio_postgres::Client) -> Result<(), MigrateError> {
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

//! Brings a schema of the database to the form that this program writes.
//!
//! Migrations are embedded. They run under an advisory lock (refinery takes none), each in a transaction
//! of its own, and are noted in the schema's own table `schema_history`. A database that a newer program
//! has migrated is refused: we do not know what its columns mean. The chain and the projections each have
//! a schema and a [`Migrator`]; the chain's comes first, because it makes the roles.

use crate::db::{Database, DbError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The schema `ledger`.
pub const CHAIN: Migrator = Migrator {
    schema: "ledger",
    lock: 0x6c65_6467_6572,
    newest: include_str!("sql/schema_version.sql"),
    migrations: embedded::migrations::runner,
};

/// One schema and what brings it up to date.
#[derive(Clone, Copy, Debug)]
pub struct Migrator {
    /// The schema's name, which needs no quotes.
    pub schema: &'static str,
    /// The key of the advisory lock. Any number of the schema's own, as long as it stays: two programs that
    /// migrate at once must agree on it.
    pub lock: i64,
    /// The statement that gives the newest version in the schema's `schema_history`.
    pub newest: &'static str,
    /// Makes a runner of the embedded migrations.
    pub migrations: fn() -> refinery::Runner,
}

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer program was here.
    #[error(
        "the schema `{schema}` in {server} is at version {theirs} and this program knows {ours}: run a \
         program that knows version {theirs}"
    )]
    Newer {
        /// The schema.
        schema: &'static str,
        /// The server.
        server: String,
        /// The newest version that this program knows.
        ours: i32,
        /// The version that the database is at.
        theirs: i32,
    },
    /// A migration failed, or one that was applied is not the one that this program knows.
    #[error("migrating the schema `{schema}` in {server} failed")]
    Migration {
        /// The schema.
        schema: &'static str,
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

impl Migrator {
    /// The newest version that this program knows.
    pub fn version(&self) -> i32 {
        let runner = (self.migrations)();
        let versions = runner
            .get_migrations()
            .iter()
            .map(refinery::Migration::version);
        versions.max().unwrap_or(0)
    }

    /// Applies what is missing, in order, and gives the versions that were applied.
    pub async fn run(&self, db: &Database) -> Result<Vec<i32>, MigrateError> {
        // A connection that does not go back to the pool: the lock ends with it, whatever happens here.
        let mut client = deadpool_postgres::Object::take(db.client().await?);
        client
            .execute("SELECT pg_advisory_lock($1)", &[&self.lock])
            .await
            .map_err(db.error("waiting for the lock on migrations"))?;
        self.run_locked(db, &mut client).await
    }

    async fn run_locked(
        &self,
        db: &Database,
        client: &mut tokio_postgres::Client,
    ) -> Result<Vec<i32>, MigrateError> {
        let failed = db.error("migrating");
        let history = format!("{}.schema_history", self.schema);
        let exists = client
            .query_one("SELECT to_regclass($1) IS NOT NULL", &[&history])
            .await
            .map_err(&failed)?
            .get::<_, bool>(0);
        if exists {
            self.check(db, client).await?;
        } else {
            client
                .batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", self.schema))
                .await
                .map_err(&failed)?;
        }
        let mut runner = (self.migrations)();
        runner.set_migration_table_name(&history);
        let report = runner.run_async(client).await;
        let report = report.map_err(|source| MigrateError::Migration {
            schema: self.schema,
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
    pub async fn check(
        &self,
        db: &Database,
        client: &tokio_postgres::Client,
    ) -> Result<(), MigrateError> {
        let theirs = client
            .query_one(self.newest, &[])
            .await
            .map_err(db.error("reading the schema's version"))?
            .get::<_, Option<i32>>(0)
            .unwrap_or(0);
        let ours = self.version();
        if theirs > ours {
            return Err(MigrateError::Newer {
                schema: self.schema,
                server: db.server().to_owned(),
                ours,
                theirs,
            });
        }
        Ok(())
    }
}

//! Brings the schema `views` to the form that this program writes.

use ledger::migrate::Migrator;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// The schema `views`. The schema `ledger` is migrated first: it makes the roles.
pub const VIEWS: Migrator = Migrator {
    schema: "views",
    lock: 0x0076_6965_7773,
    newest: include_str!("sql/schema_version.sql"),
    migrations: embedded::migrations::runner,
};

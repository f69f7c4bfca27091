-- schema_version: the newest migration that the database knows.
SELECT max(version) FROM ledger.schema_history

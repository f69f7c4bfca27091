-- Deleting data takes values out of views, in the transaction that deletes the data. It counts here: a projector that
-- finds another count than it knows forgets what it has in memory, since that may be what was deleted.
ALTER TABLE views.projection ADD COLUMN redactions bigint NOT NULL DEFAULT 0 CHECK (redactions >= 0);
COMMENT ON COLUMN views.projection.redactions IS 'How often values were taken out because data was deleted.';

GRANT USAGE ON SCHEMA views TO ledger_retention;
GRANT SELECT ON views.projection, views.activation, views.entity, views.history, views.link, views.quarantine,
                views.violation, views.deadline TO ledger_retention;
GRANT UPDATE (redactions) ON views.projection TO ledger_retention;
GRANT UPDATE (redacted) ON views.history TO ledger_retention;
GRANT UPDATE (attributes, redacted_seq) ON views.entity TO ledger_retention;
GRANT UPDATE (reason, at, nats_subject, size) ON views.quarantine TO ledger_retention;
GRANT INSERT, DELETE ON views.link TO ledger_retention;

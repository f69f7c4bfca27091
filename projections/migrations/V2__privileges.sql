-- Who may see and change the views. The roles were made with the chain's tables.
REVOKE ALL ON SCHEMA views FROM PUBLIC;
ALTER SCHEMA views OWNER TO ledger_owner;
ALTER TABLE views.projection OWNER TO ledger_owner;
ALTER TABLE views.activation OWNER TO ledger_owner;
ALTER TABLE views.entity OWNER TO ledger_owner;
ALTER TABLE views.link OWNER TO ledger_owner;
ALTER TABLE views.history OWNER TO ledger_owner;
ALTER TABLE views.violation OWNER TO ledger_owner;
ALTER TABLE views.outbox OWNER TO ledger_owner;
ALTER TABLE views.quarantine OWNER TO ledger_owner;

GRANT USAGE ON SCHEMA views TO ledger_projector, ledger_auditor, ledger_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA views TO ledger_projector;
GRANT SELECT ON ALL TABLES IN SCHEMA views TO ledger_auditor, ledger_reader;
-- What is not yet in the chain is nobody's business but the projector's.
REVOKE ALL ON views.outbox FROM ledger_auditor, ledger_reader;

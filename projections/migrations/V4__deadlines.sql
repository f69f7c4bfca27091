-- Deadlines: what is due, as the events of its entity have set it. An event that is recorded after that moment finds it
-- due, and then it has fired. It stays, so that the same moment does not fire twice. No primary key: with the longest
-- identifiers a row would not fit into an index; the fold writes each row once.
CREATE TABLE views.deadline (
    due_us     bigint NOT NULL,
    armed_seq  bigint NOT NULL CHECK (armed_seq >= 0),
    projection integer NOT NULL,
    fired      boolean NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    owner      text COLLATE "C" NOT NULL,
    rule       text COLLATE "C" NOT NULL,
    part       text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX deadline_entity ON views.deadline (projection, kind, id);
CREATE INDEX deadline_due ON views.deadline (projection, due_us) WHERE NOT fired;
COMMENT ON TABLE views.deadline IS
    'When rule (of kind owner) is due about the entity (kind, id), and for which item (key); armed_seq set it.';

ALTER TABLE views.deadline OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.deadline TO ledger_projector;
GRANT SELECT ON views.deadline TO ledger_auditor;

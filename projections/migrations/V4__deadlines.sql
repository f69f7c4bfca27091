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

-- Tasks that are open: one a class and entity. What became of all of them is told by the entities of kind ledger.task.
CREATE TABLE views.task (
    cause_seq  bigint NOT NULL CHECK (cause_seq >= 0),
    projection integer NOT NULL,
    class      text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    task       text COLLATE "C" NOT NULL,
    PRIMARY KEY (projection, task)
);
CREATE INDEX task_entity ON views.task (projection, kind, id);
COMMENT ON TABLE views.task IS 'Tasks that are open, also those whose event is on its way into the chain.';

-- How publishers number the events of their sources: the highest number so far.
CREATE TABLE views.publisher_number (
    highest    bigint NOT NULL CHECK (highest >= 0),
    projection integer NOT NULL,
    publisher  text COLLATE "C" NOT NULL,
    source     text COLLATE "C" NOT NULL,
    PRIMARY KEY (projection, publisher, source)
);
COMMENT ON TABLE views.publisher_number IS 'The highest sequence number of each publisher and source.';

ALTER TABLE views.publisher_number OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.publisher_number TO ledger_projector;
GRANT SELECT ON views.publisher_number TO ledger_auditor;
ALTER TABLE views.task OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.task TO ledger_projector;
GRANT SELECT ON views.task TO ledger_auditor;
ALTER TABLE views.deadline OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.deadline TO ledger_projector;
GRANT SELECT ON views.deadline TO ledger_auditor;

-- Incidents, and all derived events other than verdicts.

-- Events that follow from the chain, and where they stand in it. seq is null while one is on its way. digest is of type,
-- subject, context and data: what comes back is compared with it.
CREATE TABLE views.derived (
    cause_seq  bigint NOT NULL,
    seq        bigint CHECK (seq >= cause_seq),
    projection integer NOT NULL,
    id         text COLLATE "C" NOT NULL,
    digest     bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (projection, id)
);
COMMENT ON TABLE views.derived IS 'Events of incidents and tasks, and others that rules publish: what follows from the chain.';

ALTER TABLE views.derived OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.derived TO ledger_projector;
GRANT SELECT ON views.derived TO ledger_auditor;

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

-- Incidents: one of a class about an entity while it is open. A seq is a position that says so: of the first and the last
-- cause, of the event by which somebody acknowledged or resolved it, or of what mended it (and then resolved_by is null).
CREATE TABLE views.incident (
    opened_seq       bigint NOT NULL,
    opened_us        bigint NOT NULL,
    last_cause       bigint NOT NULL,
    acknowledged_seq bigint,
    acknowledged_us  bigint,
    resolved_seq     bigint,
    resolved_us      bigint,
    projection       integer NOT NULL,
    judged           boolean NOT NULL,
    incident         text COLLATE "C" NOT NULL,
    class            text COLLATE "C" NOT NULL,
    kind             text COLLATE "C" NOT NULL,
    id               text COLLATE "C" NOT NULL,
    severity         text COLLATE "C" NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    status           text COLLATE "C" NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved')),
    rule             text COLLATE "C" NOT NULL,
    reopens          text COLLATE "C",
    acknowledged_by  text COLLATE "C",
    resolved_by      text COLLATE "C",
    PRIMARY KEY (projection, incident),
    CHECK (last_cause >= opened_seq),
    CHECK ((status = 'resolved') = (resolved_seq IS NOT NULL)),
    CHECK ((acknowledged_seq IS NULL) = (acknowledged_us IS NULL) AND (resolved_seq IS NULL) = (resolved_us IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX incident_entity ON views.incident (projection, kind, id);
CREATE INDEX incident_opened ON views.incident (projection, opened_seq);
CREATE INDEX incident_open ON views.incident (projection, severity) WHERE status <> 'resolved';
COMMENT ON TABLE views.incident IS
    'Every incident. judged is false where its facts were deleted before this fold saw them.';

CREATE TABLE views.incident_cause (
    cause_seq  bigint NOT NULL,
    projection integer NOT NULL,
    incident   text COLLATE "C" NOT NULL,
    PRIMARY KEY (projection, incident, cause_seq)
);
COMMENT ON TABLE views.incident_cause IS 'The positions of the events that caused an incident.';

ALTER TABLE views.derived OWNER TO ledger_owner;
ALTER TABLE views.incident OWNER TO ledger_owner;
ALTER TABLE views.incident_cause OWNER TO ledger_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.derived, views.incident, views.incident_cause TO ledger_projector;
GRANT SELECT ON views.derived, views.incident, views.incident_cause TO ledger_auditor;

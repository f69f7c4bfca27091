-- What it means: state, history and verdicts, folded from the chain. All of it can be dropped and made
-- again. Every table is keyed by the projection first: one fold of one ledger's chain. Text compares as bytes.

-- One row a fold: whose chain, how far, by whom. It moves in the transaction that writes the rest. Readers look at the
-- live one alone; a rebuild folds into a number of its own and makes that the live one.
CREATE TABLE views.projection (
    next_seq    bigint NOT NULL DEFAULT 0 CHECK (next_seq >= 0),
    epoch       bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    recorded_us bigint NOT NULL DEFAULT 0,
    projection  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ledger      integer NOT NULL,
    engine      integer NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN ('live', 'building', 'retired')),
    package     text COLLATE "C" CHECK (package IS NULL OR state <> 'live'),
    chain       bytea CHECK (octet_length(chain) = 32),
    CHECK ((next_seq = 0) = (chain IS NULL))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX projection_live ON views.projection (ledger) WHERE state = 'live';
CREATE UNIQUE INDEX projection_building ON views.projection (ledger) WHERE state = 'building';
COMMENT ON TABLE views.projection IS
    'The folds of each ledger: one is live, one may be building, the rows of the retired ones are being deleted.';

-- Which catalog judges: that of the last activation before a position.
CREATE TABLE views.activation (
    seq    bigint NOT NULL,
    projection integer NOT NULL,
    digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (projection, seq)
);
COMMENT ON TABLE views.activation IS 'The positions at which a catalog was activated.';

-- The present state of every entity. Attributes are json, not jsonb: they are only read whole, and json
-- gives numbers back as they were written (jsonb would expand 1e300 to 300 digits).
CREATE TABLE views.entity (
    seq         bigint NOT NULL,
    created_seq bigint NOT NULL,
    events      bigint NOT NULL CHECK (events >= 1),
    status_seq  bigint,
    since_us    bigint,
    status_recorded_us bigint,
    created_us  bigint NOT NULL,
    created_recorded_us bigint NOT NULL,
    changed_us  bigint NOT NULL,
    changed_recorded_us bigint NOT NULL,
    unknown_seq bigint,
    redacted_seq bigint,
    projection  integer NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL CHECK (id <> ''),
    status      text COLLATE "C",
    attributes  json NOT NULL,
    PRIMARY KEY (projection, kind, id),
    CHECK (created_seq <= seq),
    CHECK ((status IS NULL) = (status_seq IS NULL) AND (status IS NULL) = (since_us IS NULL)),
    CHECK (status IS NULL OR unknown_seq IS NULL)
) WITH (fillfactor = 80);
COMMENT ON TABLE views.entity IS 'The present state of every entity.';

-- What every entity's attributes say at the places that the catalog indexes. No primary key: with the longest
-- identifiers a row would not fit into an index; the fold writes each row once. source is the entity's created_seq, which
-- no other entity has: an index of it is small, and grows at its end.
CREATE TABLE views.link (
    source      bigint NOT NULL,
    projection  integer NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    field       text COLLATE "C" NOT NULL,
    target_kind text COLLATE "C" NOT NULL,
    target_id   text COLLATE "C" NOT NULL CHECK (octet_length(target_id) BETWEEN 1 AND 1024)
);
CREATE INDEX link_source ON views.link (projection, source);
CREATE INDEX link_target ON views.link (projection, target_kind, target_id, kind, field);
COMMENT ON TABLE views.link IS
    'The entity (kind, id) names (target_kind, target_id) at field; an empty target_kind: it has that value there.';

-- Every event of every entity, with the statuses before and after it.
CREATE TABLE views.history (
    seq         bigint NOT NULL,
    occurred_us bigint NOT NULL,
    recorded_us bigint NOT NULL,
    projection  integer NOT NULL,
    legal       boolean,
    redacted    boolean NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    event_type  text COLLATE "C" NOT NULL,
    from_status text COLLATE "C",
    to_status   text COLLATE "C",
    claimed     text COLLATE "C",
    actor       text COLLATE "C" NOT NULL,
    PRIMARY KEY (projection, kind, id, seq)
);
COMMENT ON TABLE views.history IS 'Every event of every entity. legal is null where it cannot be judged any more.';

-- Every verdict that was derived. seq is where its event stands in the chain, null while it is on its way. cleared_seq is
-- the position that cleared it, told_seq where the event stands that says so. found_by is the rule that may clear it.
CREATE TABLE views.violation (
    cause_seq   bigint NOT NULL,
    seq         bigint CHECK (seq > cause_seq),
    cleared_seq bigint,
    told_seq    bigint CHECK (told_seq > cause_seq AND told_seq > cleared_seq),
    projection  integer NOT NULL,
    judged      boolean NOT NULL,
    violation   text COLLATE "C" NOT NULL,
    rule        text COLLATE "C" NOT NULL,
    severity    text COLLATE "C" NOT NULL CHECK (severity IN ('info', 'warning', 'error', 'critical')),
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    status      text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'cleared', 'overridden')),
    catalog     text COLLATE "C" NOT NULL,
    detail_key  text COLLATE "C" NOT NULL,
    judged_from bigint[] NOT NULL,
    PRIMARY KEY (projection, violation),
    found_by    text COLLATE "C",
    how         text COLLATE "C" CHECK (how IN ('mended', 'overridden', 'silenced')),
    CHECK ((status = 'open') = (cleared_seq IS NULL)),
    CHECK ((status = 'open') = (how IS NULL)),
    CHECK (told_seq IS NULL OR cleared_seq IS NOT NULL)
);
CREATE INDEX violation_cause ON views.violation (projection, cause_seq);
CREATE INDEX violation_entity ON views.violation (projection, kind, id);
CREATE INDEX violation_open ON views.violation (projection, kind, id)
    WHERE status = 'open' AND found_by IS NOT NULL;
CREATE INDEX violation_awaiting ON views.violation (projection, detail_key)
    WHERE status = 'open' AND found_by IS NOT NULL AND detail_key <> '';
COMMENT ON TABLE views.violation IS 'Every verdict. judged is false where its facts were deleted before this fold saw them.';

-- What is to be published until it is seen in the chain. Of the live projection alone it is.
CREATE TABLE views.outbox (
    cause_seq bigint NOT NULL,
    projection integer NOT NULL,
    id        text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    body      bytea NOT NULL,
    PRIMARY KEY (projection, id)
);
COMMENT ON TABLE views.outbox IS 'Messages to publish by the front door until they are seen in the chain.';

-- What was refused at the door.
CREATE TABLE views.quarantine (
    seq         bigint NOT NULL,
    recorded_us bigint NOT NULL,
    size        bigint,
    projection  integer NOT NULL,
    reason      text COLLATE "C",
    at          text COLLATE "C" NOT NULL,
    publisher   text COLLATE "C" NOT NULL,
    nats_subject text COLLATE "C",
    PRIMARY KEY (projection, seq)
);
COMMENT ON TABLE views.quarantine IS 'Messages that were refused. reason is null where the event''s data was deleted.';

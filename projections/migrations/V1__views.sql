-- What it means: state, history and verdicts, folded from the chain. All of it can be dropped and made
-- again. Every table is keyed by the ledger first (ledger.head); text compares as bytes.

-- One row a ledger: how far it is folded, by whom. It moves in the transaction that writes the rest.
CREATE TABLE views.projection (
    next_seq    bigint NOT NULL DEFAULT 0 CHECK (next_seq >= 0),
    epoch       bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    recorded_us bigint NOT NULL DEFAULT 0,
    ledger      integer PRIMARY KEY,
    engine      integer NOT NULL,
    chain       bytea CHECK (octet_length(chain) = 32),
    CHECK ((next_seq = 0) = (chain IS NULL))
) WITH (fillfactor = 50);
COMMENT ON TABLE views.projection IS 'How far each ledger is folded, and the epoch of its one projector.';

-- Which catalog judges: that of the last activation before a position.
CREATE TABLE views.activation (
    seq    bigint NOT NULL,
    ledger integer NOT NULL,
    digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (ledger, seq)
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
    unknown_seq bigint,
    redacted_seq bigint,
    ledger      integer NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL CHECK (id <> ''),
    status      text COLLATE "C",
    attributes  json NOT NULL,
    PRIMARY KEY (ledger, kind, id),
    CHECK (created_seq <= seq),
    CHECK ((status IS NULL) = (status_seq IS NULL) AND (status IS NULL) = (since_us IS NULL)),
    CHECK (status IS NULL OR unknown_seq IS NULL)
) WITH (fillfactor = 80);
COMMENT ON TABLE views.entity IS 'The present state of every entity.';

-- Every event of every entity, with the statuses before and after it.
CREATE TABLE views.history (
    seq         bigint NOT NULL,
    occurred_us bigint NOT NULL,
    recorded_us bigint NOT NULL,
    ledger      integer NOT NULL,
    legal       boolean,
    redacted    boolean NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    event_type  text COLLATE "C" NOT NULL,
    from_status text COLLATE "C",
    to_status   text COLLATE "C",
    claimed     text COLLATE "C",
    actor       text COLLATE "C" NOT NULL,
    PRIMARY KEY (ledger, kind, id, seq)
);
COMMENT ON TABLE views.history IS 'Every event of every entity. legal is null where it cannot be judged any more.';

-- Every verdict that was derived. seq is where its event stands in the chain, null while it is on its way.
CREATE TABLE views.violation (
    cause_seq   bigint NOT NULL,
    seq         bigint CHECK (seq > cause_seq),
    cleared_seq bigint CHECK (cleared_seq > cause_seq),
    ledger      integer NOT NULL,
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
    PRIMARY KEY (ledger, violation),
    CHECK ((status = 'open') = (cleared_seq IS NULL))
);
CREATE INDEX violation_cause ON views.violation (ledger, cause_seq);
CREATE INDEX violation_entity ON views.violation (ledger, kind, id);
COMMENT ON TABLE views.violation IS 'Every verdict. judged is false where its facts were deleted before this fold saw them.';

-- What is to be published until it is seen in the chain.
CREATE TABLE views.outbox (
    cause_seq bigint NOT NULL,
    ledger    integer NOT NULL,
    id        text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    body      bytea NOT NULL,
    PRIMARY KEY (ledger, id)
);
COMMENT ON TABLE views.outbox IS 'Messages to publish by the front door until they are seen in the chain.';

-- What was refused at the door.
CREATE TABLE views.quarantine (
    seq         bigint NOT NULL,
    recorded_us bigint NOT NULL,
    size        bigint,
    ledger      integer NOT NULL,
    reason      text COLLATE "C",
    at          text COLLATE "C" NOT NULL,
    publisher   text COLLATE "C" NOT NULL,
    nats_subject text COLLATE "C",
    PRIMARY KEY (ledger, seq)
);
COMMENT ON TABLE views.quarantine IS 'Messages that were refused. reason is null where the event''s data was deleted.';

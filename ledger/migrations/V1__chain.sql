-- What happened: the chain, the keys that deduplicate it, and the tree over it.
--
-- Every table is keyed by the ledger first: one database holds many ledgers. Text compares as bytes
-- ("C"): an order that depends on a locale's version is no order. Times are microseconds since the Unix
-- epoch in a bigint, because what is hashed must come back as it went in. Columns of fixed width stand
-- first, so that no row carries padding.

-- One row a ledger: the last position, and who may append after it. Its row lock makes the one writer.
CREATE TABLE ledger.head (
    ledger      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch       bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    size        bigint NOT NULL CHECK (size >= 1),
    stream_seq  bigint NOT NULL CHECK (stream_seq >= 0),
    message_us  bigint NOT NULL,
    recorded_us bigint NOT NULL,
    chain       bytea NOT NULL CHECK (octet_length(chain) = 32),
    name        text COLLATE "C" NOT NULL UNIQUE CHECK (name ~ '^[a-z][a-z0-9-]{0,31}$'),
    origin      text COLLATE "C" NOT NULL CHECK (origin ~ '^[^[:space:]+]+$' AND origin !~ '://'),
    stream      text COLLATE "C" NOT NULL CHECK (stream ~ '^[^@]+@[0-9]+$')
) WITH (fillfactor = 50);
COMMENT ON TABLE ledger.head IS 'One row a ledger: the last position, and the epoch of its one writer.';

-- Headers. Never updated, never deleted.
CREATE TABLE ledger.event (
    seq             bigint NOT NULL,
    occurred_us     bigint NOT NULL,
    recorded_us     bigint NOT NULL,
    stream_seq      bigint NOT NULL,
    ledger          integer NOT NULL,
    data_commitment bytea NOT NULL,
    event_hash      bytea NOT NULL,
    chain           bytea NOT NULL,
    source          text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    event_type      text COLLATE "C" NOT NULL,
    subject         text COLLATE "C" NOT NULL,
    actor           text COLLATE "C" NOT NULL,
    publisher       text COLLATE "C" NOT NULL,
    context         text COLLATE "C" NOT NULL,
    stream          text COLLATE "C" NOT NULL,
    PRIMARY KEY (ledger, seq),
    CHECK (seq >= 0 AND stream_seq >= 0),
    CHECK (octet_length(data_commitment) = 32 AND octet_length(event_hash) = 32 AND octet_length(chain) = 32),
    CHECK (source <> '' AND id <> '' AND event_type <> '')
);
COMMENT ON TABLE ledger.event IS 'The headers of the chain, one row a position. Never updated, never deleted.';

-- The ledger's own events are few and looked for by type: activations, quarantine, retention.
CREATE INDEX event_own ON ledger.event (ledger, event_type, seq)
    WHERE event_type >= 'ledger.' AND event_type < 'ledger/';

-- Salt and data, in partitions of positions: deleting at scale is dropping a partition.
CREATE TABLE ledger.body (
    seq    bigint NOT NULL,
    ledger integer NOT NULL,
    salt   bytea NOT NULL CHECK (octet_length(salt) = 32),
    data   bytea NOT NULL,
    PRIMARY KEY (ledger, seq)
) PARTITION BY LIST (ledger);
COMMENT ON TABLE ledger.body IS 'Salt and data of each position, apart from its header, so that both can be deleted.';

-- The first 16 bytes of H("msg-id", publisher, source, id): which identities are taken, for ever.
CREATE TABLE ledger.seen (
    seq    bigint NOT NULL,
    ledger integer NOT NULL,
    key    uuid NOT NULL,
    PRIMARY KEY (ledger, key)
);
COMMENT ON TABLE ledger.seen IS 'Which identities are taken, and by which position.';

-- Full tiles of the tree: 256 hashes of 32 bytes.
CREATE TABLE ledger.tile (
    number bigint NOT NULL CHECK (number >= 0),
    ledger integer NOT NULL,
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (ledger, level, number)
);
-- Hashes do not compress: trying costs time.
ALTER TABLE ledger.tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger.tile IS 'Full tiles of the tree over the chain (C2SP tlog-tiles).';

-- Every head that was signed.
CREATE TABLE ledger.checkpoint (
    size   bigint NOT NULL CHECK (size >= 0),
    ledger integer NOT NULL,
    root   bytea NOT NULL CHECK (octet_length(root) = 32),
    note   text COLLATE "C" NOT NULL,
    PRIMARY KEY (ledger, size)
);
COMMENT ON TABLE ledger.checkpoint IS 'Every signed head (C2SP tlog-checkpoint).';

-- Who may seal. Apart from ledger.head, so that sealing never waits for an append nor an append for it.
CREATE TABLE ledger.sealer (
    ledger integer PRIMARY KEY REFERENCES ledger.head,
    epoch  bigint NOT NULL CHECK (epoch >= 0),
    size   bigint NOT NULL CHECK (size >= 0)
);
COMMENT ON TABLE ledger.sealer IS 'One row a ledger: the epoch of its one sealer, and the size it last sealed.';

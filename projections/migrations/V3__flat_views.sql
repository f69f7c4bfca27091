-- The flat views are made by the program from the kinds (projections/src/view); here is what they rest on.

-- Which views each ledger's active catalog asks for, and which were made. Several ledgers may share a database.
CREATE TABLE views.wanted_view (
    ledger integer NOT NULL,
    kind   text COLLATE "C" NOT NULL,
    view   json NOT NULL,
    PRIMARY KEY (ledger, kind)
);
COMMENT ON TABLE views.wanted_view IS 'The flat views that each ledger''s active catalog asks for.';
CREATE TABLE views.made_view (
    made   integer GENERATED ALWAYS AS IDENTITY,
    name   text COLLATE "C" PRIMARY KEY,
    digest text COLLATE "C" NOT NULL
);
COMMENT ON TABLE views.made_view IS 'The views that the program made, by the digest of their definitions, in the order of making.';

-- A time of the chain: microseconds since 1970.
CREATE FUNCTION views.at_us(us bigint) RETURNS timestamptz LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN timestamptz 'epoch' + us * interval '1 microsecond';
COMMENT ON FUNCTION views.at_us IS 'A time of the chain, given in microseconds since 1970.';

-- RFC 3339 as a time; null for anything else. Digits beyond microseconds are cut off, as everywhere in the ledger. It
-- catches no error, since what does cannot run in parallel: a day that its month lacks is found by its month.
CREATE FUNCTION views.as_time(said text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    day date;
    local_time timestamp;
    -- Taking groups out of the expression would cost six times as much, and every part has its place.
    zone integer := CASE WHEN right(said, 1) IN ('Z', 'z') THEN 1 ELSE 6 END;
BEGIN
    IF said !~ '^\d{4}-(0[1-9]|1[0-2])-([0-3]\d)[Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$'
       OR left(said, 4) = '0000' OR substr(said, 9, 2) = '00' THEN
        RETURN NULL;
    END IF;
    day := make_date(left(said, 4)::integer, substr(said, 6, 2)::integer, 1) + (substr(said, 9, 2)::integer - 1);
    IF extract(month FROM day) <> substr(said, 6, 2)::integer THEN
        RETURN NULL;
    END IF;
    local_time := day + make_interval(
        hours => substr(said, 12, 2)::integer, mins => substr(said, 15, 2)::integer,
        secs => left(substr(said, 18, length(said) - 17 - zone), 9)::double precision);
    IF zone = 6 THEN
        local_time := local_time - right(said, 6)::interval;
    END IF;
    RETURN local_time AT TIME ZONE 'UTC';
END $$;
COMMENT ON FUNCTION views.as_time IS 'A text in the form of RFC 3339 as a time; null for any other.';

-- Takes all made views away. A migration that changes a table below them begins with this; the projector makes
-- them again when it starts.
CREATE FUNCTION views.drop_made() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one text;
BEGIN
    FOR one IN SELECT name FROM views.made_view ORDER BY made DESC LOOP
        EXECUTE format('DROP VIEW IF EXISTS views.%I CASCADE', one);
    END LOOP;
    DELETE FROM views.made_view;
END $$;

ALTER TABLE views.wanted_view OWNER TO ledger_owner;
ALTER TABLE views.made_view OWNER TO ledger_owner;
ALTER FUNCTION views.at_us(bigint) OWNER TO ledger_owner;
ALTER FUNCTION views.as_time(text) OWNER TO ledger_owner;
ALTER FUNCTION views.drop_made() OWNER TO ledger_owner;
REVOKE ALL ON FUNCTION views.drop_made() FROM PUBLIC;

-- The projector makes the views and they belong to its role, so that whoever projects can replace them. Whoever
-- migrates belongs to the owner, and may do so, too.
GRANT CREATE ON SCHEMA views TO ledger_projector;
GRANT SELECT, INSERT, UPDATE, DELETE ON views.wanted_view, views.made_view TO ledger_projector;
GRANT SELECT ON views.wanted_view, views.made_view TO ledger_auditor;
DO $$
BEGIN
    IF NOT pg_has_role('ledger_owner', 'ledger_projector', 'MEMBER') THEN
        GRANT ledger_projector TO ledger_owner;
    END IF;
EXCEPTION WHEN unique_violation THEN
    NULL; -- another database of this server was migrated at the same moment
END $$;

-- What was broken, by rule.
CREATE INDEX violation_rule ON views.violation (projection, rule, cause_seq);

-- A reader sees what is made for reading, and not the tables with sensitive values and internals.
REVOKE ALL ON ALL TABLES IN SCHEMA views FROM ledger_reader;

-- Who may do what. This is hygiene: the proof is the chain and the heads that were signed.

-- The chain's rows stay as they are. Statement triggers cost an insert nothing, and TRUNCATE passes the
-- others by.
CREATE FUNCTION ledger.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: what happened is never changed', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'data is deleted by ledger.retention.applied and ledger.delete_data, headers never';
END $$;

CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.event
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.seen
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.tile
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE DELETE OR TRUNCATE ON ledger.head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR TRUNCATE ON ledger.body
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse();

-- Makes the partition of ledger.body that holds a position, if it is not there, and gives the first position
-- after it. 2^22 positions make one: about 2.5 GB of events of 500 bytes. ATTACH, because PARTITION OF
-- would wait for every reader of the table.
CREATE FUNCTION ledger.make_room(which integer, at_seq bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    width   CONSTANT bigint := 4194304;
    number  CONSTANT bigint := at_seq / width;
    beyond  CONSTANT bigint := (number + 1) * width;
    parent  CONSTANT text := format('body_%s', which);
    child   CONSTANT text := format('body_%s_%s', which, number);
BEGIN
    IF at_seq < 0 OR NOT EXISTS (SELECT FROM ledger.head WHERE ledger = which) THEN
        RAISE EXCEPTION 'ledger % does not exist', which USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF to_regclass('ledger.' || child) IS NOT NULL THEN
        RETURN beyond;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('ledger.make_room'));
    IF to_regclass('ledger.' || parent) IS NULL THEN
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.body INCLUDING ALL) PARTITION BY RANGE (seq)', parent);
        EXECUTE format('ALTER TABLE ledger.body ATTACH PARTITION ledger.%I FOR VALUES IN (%s)', parent, which);
    END IF;
    IF to_regclass('ledger.' || child) IS NULL THEN
        EXECUTE format('CREATE TABLE ledger.%I (LIKE ledger.body INCLUDING ALL)', child);
        EXECUTE format('ALTER TABLE ledger.%I ATTACH PARTITION ledger.%I FOR VALUES FROM (%s) TO (%s)',
                       parent, child, number * width, beyond);
    END IF;
    RETURN beyond;
END $$;

-- Deletes the salt and data of the positions that one ledger.retention.applied names, and gives their
-- number. The event must be in the chain: deleting is the projection of events.
CREATE FUNCTION ledger.delete_data(which integer, applied_seq bigint, held_epoch bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    applied jsonb;
    deleted bigint;
BEGIN
    PERFORM FROM ledger.head WHERE ledger = which AND epoch = held_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger % is no longer at epoch %', which, held_epoch USING ERRCODE = 'serialization_failure';
    END IF;
    SELECT convert_from(b.data, 'UTF8')::jsonb INTO applied
      FROM ledger.event e JOIN ledger.body b USING (ledger, seq)
     WHERE e.ledger = which AND e.seq = applied_seq
       AND e.event_type IN ('ledger.retention.applied', 'ledger.retention.applied.v1') AND e.publisher = 'ledger';
    IF applied IS NULL THEN
        RAISE EXCEPTION 'position % of ledger % is no ledger.retention.applied: nothing may be deleted by it', applied_seq, which
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- What the events of retention and the catalog say is needed for ever: it explains what is missing.
    DELETE FROM ledger.body b
     USING jsonb_array_elements(applied -> 'ranges') AS r, ledger.event e
     WHERE b.ledger = which AND b.seq BETWEEN (r ->> 0)::bigint AND (r ->> 1)::bigint AND b.seq < applied_seq
       AND e.ledger = b.ledger AND e.seq = b.seq
       AND NOT (e.publisher = 'ledger' AND (e.event_type LIKE 'ledger.retention.%' OR e.event_type LIKE 'ledger.catalog.%'
                                           OR e.event_type LIKE 'ledger.chain.%' OR e.event_type LIKE 'ledger.stream.%'));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

-- Roles belong to the whole server; another database on it may have made them already.
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['ledger_owner', 'ledger_writer', 'ledger_projector', 'ledger_retention',
                                'ledger_auditor', 'ledger_reader'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

-- Whoever migrates hands the tables over, and must therefore belong to the owner.
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'ledger_owner', 'MEMBER') THEN
        EXECUTE format('GRANT ledger_owner TO %I', current_user);
    END IF;
END $$;

REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;

-- Nothing runs as the owner.
ALTER SCHEMA ledger OWNER TO ledger_owner;
ALTER TABLE ledger.head OWNER TO ledger_owner;
ALTER TABLE ledger.event OWNER TO ledger_owner;
ALTER TABLE ledger.body OWNER TO ledger_owner;
ALTER TABLE ledger.seen OWNER TO ledger_owner;
ALTER TABLE ledger.tile OWNER TO ledger_owner;
ALTER TABLE ledger.checkpoint OWNER TO ledger_owner;
ALTER TABLE ledger.sealer OWNER TO ledger_owner;
ALTER FUNCTION ledger.refuse() OWNER TO ledger_owner;
ALTER FUNCTION ledger.make_room(integer, bigint) OWNER TO ledger_owner;
ALTER FUNCTION ledger.delete_data(integer, bigint, bigint) OWNER TO ledger_owner;

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_projector, ledger_retention, ledger_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_writer, ledger_projector, ledger_retention, ledger_auditor;

-- The writer inserts, and moves the head and the sealer's row. It makes ledgers too (`ledger init`).
GRANT INSERT ON ledger.head, ledger.event, ledger.body, ledger.seen, ledger.tile, ledger.checkpoint, ledger.sealer
    TO ledger_writer;
GRANT UPDATE (epoch, size, stream_seq, message_us, recorded_us, chain, stream) ON ledger.head TO ledger_writer;
GRANT UPDATE (epoch, size) ON ledger.sealer TO ledger_writer;
GRANT EXECUTE ON FUNCTION ledger.make_room(integer, bigint) TO ledger_writer;

-- Data is deleted only through the function.
GRANT EXECUTE ON FUNCTION ledger.delete_data(integer, bigint, bigint) TO ledger_retention;

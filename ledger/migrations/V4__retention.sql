-- Deleting data: by an event of the chain, never what a hold keeps, some positions at a time.

DROP FUNCTION ledger.delete_data(integer, bigint, bigint);

-- How far deleting has come, so that a restart need not look at everything again. Bookkeeping: it can be emptied.
CREATE TABLE ledger.deletion (
    applied_seq bigint NOT NULL CHECK (applied_seq >= 0),
    ledger      integer NOT NULL,
    scrubbed    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (ledger, applied_seq)
);
COMMENT ON TABLE ledger.deletion IS
    'The events whose positions'' data is deleted; scrubbed: so are their messages, as far as the stream had them.';

-- What says what was deleted and why, what judges, and what was found, is needed for ever.
CREATE FUNCTION ledger.is_permanent(event_type text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN event_type ~ '^ledger\.(catalog|chain|hold|incident|key|redaction|retention|stream|violation)\.';

-- The position of the first hold that keeps the data of a position and is in force at another one: placed before it and
-- not released before it. Holds are events of the chain, and so are the causes of the incidents that they may name.
CREATE FUNCTION ledger.hold_of(which integer, at_seq bigint, by_seq bigint) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.seq
      FROM ledger.event h
      JOIN ledger.body hb ON hb.ledger = h.ledger AND hb.seq = h.seq
     CROSS JOIN LATERAL (SELECT convert_from(hb.data, 'UTF8')::json -> 'scope' AS scope) s
      JOIN ledger.event e ON e.ledger = which AND e.seq = at_seq
     WHERE h.ledger = which AND h.seq < by_seq AND h.event_type IN ('ledger.hold.placed', 'ledger.hold.placed.v1')
       AND h.event_type >= 'ledger.' AND h.event_type < 'ledger/'
       AND NOT EXISTS (
            SELECT FROM ledger.event r
             WHERE r.ledger = which AND r.event_type IN ('ledger.hold.released', 'ledger.hold.released.v1')
               AND r.event_type >= 'ledger.' AND r.event_type < 'ledger/'
               AND r.subject = h.subject AND r.seq > h.seq AND r.seq < by_seq)
       AND (s.scope ->> 'kind' IS NULL OR starts_with(e.event_type, (s.scope ->> 'kind') || '.'))
       AND (s.scope ->> 'id' IS NULL OR e.subject = s.scope ->> 'id')
       AND (s.scope ->> 'from_us' IS NULL OR e.recorded_us >= (s.scope ->> 'from_us')::bigint)
       AND (s.scope ->> 'to_us' IS NULL OR e.recorded_us <= (s.scope ->> 'to_us')::bigint)
       AND (s.scope ->> 'incident' IS NULL OR EXISTS (
            SELECT FROM ledger.event i
              JOIN ledger.body ib ON ib.ledger = i.ledger AND ib.seq = i.seq
             CROSS JOIN LATERAL (SELECT convert_from(ib.data, 'UTF8')::jsonb AS said) j
             WHERE i.ledger = which AND i.publisher = 'ledger' AND i.seq < by_seq
               AND i.event_type IN ('ledger.incident.opened', 'ledger.incident.opened.v1',
                                    'ledger.incident.cause_added', 'ledger.incident.cause_added.v1')
               AND i.event_type >= 'ledger.' AND i.event_type < 'ledger/'
               AND j.said ->> 'incident' = s.scope ->> 'incident'
               AND (j.said -> 'causes' @> to_jsonb(at_seq) OR j.said -> 'cause_seq' = to_jsonb(at_seq))))
     ORDER BY h.seq LIMIT 1
$$;

-- Whether a hold keeps the data of a position: one in force when the event at applied_seq was recorded, which forbids that
-- event for ever, or one in force now, though it came later.
CREATE FUNCTION ledger.is_held(which integer, at_seq bigint, applied_seq bigint) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ledger.hold_of(which, at_seq, applied_seq) IS NOT NULL
        OR ledger.hold_of(which, at_seq, 9223372036854775807) IS NOT NULL
$$;

-- Deletes the salt and data of these positions, as far as the ledger.retention.applied at applied_seq names them and
-- nothing keeps them, and gives what was deleted. The event must be in the chain and under a signed head: deleting is
-- the projection of events.
CREATE FUNCTION ledger.delete_data(which integer, applied_seq bigint, held_epoch bigint, positions bigint[])
    RETURNS TABLE (deleted bigint, was bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said    jsonb;
    covered int8multirange;
    holds   boolean;
BEGIN
    PERFORM FROM ledger.head WHERE ledger = which AND epoch = held_epoch AND succeeded_by IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger % is no longer at epoch %', which, held_epoch USING ERRCODE = 'serialization_failure';
    END IF;
    SELECT convert_from(b.data, 'UTF8')::jsonb INTO said
      FROM ledger.event e JOIN ledger.body b USING (ledger, seq)
     WHERE e.ledger = which AND e.seq = applied_seq
       AND e.event_type IN ('ledger.retention.applied', 'ledger.retention.applied.v1') AND e.publisher = 'ledger';
    IF said IS NULL THEN
        RAISE EXCEPTION 'position % of ledger % is no ledger.retention.applied: nothing may be deleted by it', applied_seq, which
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM ledger.sealer s WHERE s.ledger = which AND s.size > applied_seq) THEN
        RAISE EXCEPTION 'position % of ledger % is not under a signed head yet', applied_seq, which
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT range_agg(int8range((r ->> 0)::bigint, (r ->> 1)::bigint, '[]')) INTO covered
      FROM jsonb_array_elements(said -> 'ranges') AS r WHERE (r ->> 0)::bigint <= (r ->> 1)::bigint;
    holds := EXISTS (SELECT FROM ledger.event h WHERE h.ledger = which AND h.event_type LIKE 'ledger.hold.placed%'
                        AND h.event_type >= 'ledger.' AND h.event_type < 'ledger/');
    RETURN QUERY
    DELETE FROM ledger.body b
     USING ledger.event e
     WHERE b.ledger = which AND b.seq = ANY (positions) AND b.seq < applied_seq AND covered @> b.seq
       AND e.ledger = which AND e.seq = b.seq AND e.seq = ANY (positions)
       AND NOT ledger.is_permanent(e.event_type)
       AND NOT (holds AND ledger.is_held(which, b.seq, applied_seq))
    RETURNING b.seq, b.data;
END $$;

REVOKE ALL ON FUNCTION ledger.is_permanent(text) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.hold_of(integer, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.is_held(integer, bigint, bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.delete_data(integer, bigint, bigint, bigint[]) FROM PUBLIC;
ALTER TABLE ledger.deletion OWNER TO ledger_owner;
ALTER FUNCTION ledger.is_permanent(text) OWNER TO ledger_owner;
ALTER FUNCTION ledger.hold_of(integer, bigint, bigint) OWNER TO ledger_owner;
ALTER FUNCTION ledger.is_held(integer, bigint, bigint) OWNER TO ledger_owner;
ALTER FUNCTION ledger.delete_data(integer, bigint, bigint, bigint[]) OWNER TO ledger_owner;
GRANT SELECT ON ledger.deletion TO ledger_writer, ledger_projector, ledger_auditor;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.deletion TO ledger_retention;
GRANT EXECUTE ON FUNCTION ledger.delete_data(integer, bigint, bigint, bigint[]) TO ledger_retention;
-- The fold says which holds an event disregards.
GRANT EXECUTE ON FUNCTION ledger.hold_of(integer, bigint, bigint) TO ledger_projector, ledger_auditor;

-- A log that another has succeeded: its end was lost, and what is left of it is kept under another name, to be read
-- and verified. Nothing is appended to it any more, and nothing of it is signed.
ALTER TABLE ledger.head
    ADD COLUMN called text COLLATE "C" CHECK (called ~ '^[a-z][a-z0-9-]{0,31}$'),
    ADD COLUMN succeeded_by text COLLATE "C",
    ADD CONSTRAINT succession CHECK ((called IS NULL) = (succeeded_by IS NULL));
COMMENT ON COLUMN ledger.head.called IS 'The name that its events were recorded under, where another ledger has it now.';
COMMENT ON COLUMN ledger.head.succeeded_by IS 'The origin of the log that goes on in its place.';

CREATE FUNCTION ledger.refuse_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger % was succeeded by another log: nothing is appended to it or signed of it any more', OLD.ledger
        USING ERRCODE = 'insufficient_privilege', HINT = 'read and verify it; what comes goes to its successor';
END $$;

-- The condition costs an append nothing: it is looked at without a call.
CREATE TRIGGER frozen BEFORE UPDATE ON ledger.head
    FOR EACH ROW WHEN (OLD.succeeded_by IS NOT NULL) EXECUTE FUNCTION ledger.refuse_frozen();

CREATE FUNCTION ledger.refuse_frozen_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger.head WHERE ledger = OLD.ledger AND succeeded_by IS NOT NULL) THEN
        RAISE EXCEPTION 'ledger % was succeeded by another log: nothing of it is signed any more', OLD.ledger
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER frozen BEFORE UPDATE ON ledger.sealer
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_frozen_seal();

-- Freezes a ledger and gives its name free, for its successor. Gives the name that it has from now on.
CREATE FUNCTION ledger.retire(which integer, held_epoch bigint, held_size bigint, successor text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old    text;
    aside  text;
    number integer := 1;
BEGIN
    SELECT name INTO old FROM ledger.head
     WHERE ledger = which AND epoch = held_epoch AND size = held_size AND succeeded_by IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'ledger % is no longer at epoch % and size %', which, held_epoch, held_size
            USING ERRCODE = 'serialization_failure';
    END IF;
    LOOP
        aside := left(old, 31 - length(number::text)) || '-' || number;
        EXIT WHEN NOT EXISTS (SELECT FROM ledger.head WHERE name = aside);
        number := number + 1;
    END LOOP;
    UPDATE ledger.head SET name = aside, called = old, succeeded_by = successor, epoch = epoch + 1 WHERE ledger = which;
    RETURN aside;
END $$;

REVOKE ALL ON FUNCTION ledger.retire(integer, bigint, bigint, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.refuse_frozen() FROM PUBLIC;
REVOKE ALL ON FUNCTION ledger.refuse_frozen_seal() FROM PUBLIC;
ALTER FUNCTION ledger.retire(integer, bigint, bigint, text) OWNER TO ledger_owner;
ALTER FUNCTION ledger.refuse_frozen() OWNER TO ledger_owner;
ALTER FUNCTION ledger.refuse_frozen_seal() OWNER TO ledger_owner;
GRANT EXECUTE ON FUNCTION ledger.retire(integer, bigint, bigint, text) TO ledger_writer;

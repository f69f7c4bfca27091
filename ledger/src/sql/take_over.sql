-- take_over: begins a new epoch, so that whoever appended before no longer can; waits for an append that is under way.
UPDATE ledger.head SET epoch = epoch + 1 WHERE name = $1
RETURNING ledger, coalesce(called, name) AS name, succeeded_by, origin, size, chain, stream, stream_seq, message_us, recorded_us, epoch

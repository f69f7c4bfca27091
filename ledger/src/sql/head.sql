-- head: the last position of a ledger, and who may append after it.
SELECT ledger, coalesce(called, name) AS name, succeeded_by, origin, size, chain, stream, stream_seq, message_us, recorded_us, epoch
  FROM ledger.head WHERE name = $1

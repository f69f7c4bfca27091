-- settle: the head once an append that may still be under way on a lost connection has ended.
SELECT coalesce(called, name) AS name, succeeded_by, origin, size, chain, stream, stream_seq, message_us, recorded_us, epoch
  FROM ledger.head WHERE ledger = $1 FOR UPDATE

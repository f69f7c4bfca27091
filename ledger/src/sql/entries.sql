-- entries: what the log's entries of a range are made of, in order.
SELECT seq, event_hash, chain FROM ledger.event
 WHERE ledger = $1 AND seq >= $2 AND seq < $3
 ORDER BY seq

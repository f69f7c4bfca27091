-- scan_headers: headers of a range, in order. The texts come last, and in the order in which they are hashed.
SELECT seq, occurred_us, recorded_us, stream_seq, data_commitment, event_hash, chain,
       source, id, event_type, subject, actor, publisher, context, stream
  FROM ledger.event
 WHERE ledger = $1 AND seq >= $2 AND seq < $3
 ORDER BY seq

-- records: positions from one on, in order, with their data where it is there. A look-up a row, whatever the statistics say.
SELECT e.seq, e.occurred_us, e.recorded_us, e.stream_seq, e.data_commitment, e.event_hash, e.chain, e.source, e.id,
       e.event_type, e.subject, e.actor, e.publisher, e.context, e.stream, b.salt, b.data
  FROM ledger.event e
  LEFT JOIN LATERAL (SELECT salt, data FROM ledger.body WHERE ledger = $1 AND seq = e.seq LIMIT 1) b ON true
 WHERE e.ledger = $1 AND e.seq >= $2 AND e.seq < $3
 ORDER BY e.seq

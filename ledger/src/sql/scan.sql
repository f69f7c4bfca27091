-- scan: the same for many positions, by merging. Nested loops must be off: of a table without statistics they read all of it for each row.
SELECT e.seq, e.occurred_us, e.recorded_us, e.stream_seq, e.data_commitment, e.event_hash, e.chain, e.source, e.id,
       e.event_type, e.subject, e.actor, e.publisher, e.context, e.stream, b.salt, b.data
  FROM ledger.event e
  LEFT JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq AND b.ledger = $1 AND b.seq >= $2 AND b.seq < $3
 WHERE e.ledger = $1 AND e.seq >= $2 AND e.seq < $3
 ORDER BY e.seq

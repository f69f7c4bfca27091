-- records_at: these positions, in order, with their data where it is there.
SELECT e.seq, e.occurred_us, e.recorded_us, e.stream_seq, e.data_commitment, e.event_hash, e.chain, e.source, e.id,
       e.event_type, e.subject, e.actor, e.publisher, e.context, e.stream, b.salt, b.data
  FROM ledger.event e LEFT JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.seq = ANY ($2)
 ORDER BY e.seq

-- quarantine: what was refused within a range of positions.
SELECT q.seq, q.recorded_us, q.size, q.reason, q.at, q.publisher, q.nats_subject, e.stream_seq
  FROM views.quarantine q
  JOIN ledger.event e ON e.ledger = $1 AND e.seq = q.seq
 WHERE q.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND q.seq >= $2 AND q.seq < $3
   AND ($4::text IS NULL OR q.reason = $4) AND ($5::text IS NULL OR q.publisher = $5)
 ORDER BY q.seq
 LIMIT $6

-- spots_of_kinds: positions of events of these kinds, from one up to another, whose data is there, in order.
SELECT e.seq, e.event_type, e.subject, e.recorded_us, e.stream, e.stream_seq, true AS there
  FROM ledger.event e
 WHERE e.ledger = $1 AND e.seq >= $2 AND e.seq < $3
   AND substring(e.event_type FROM '^[^.]+[.][^.]+') = ANY ($4)
   AND EXISTS (SELECT FROM ledger.body b WHERE b.ledger = $1 AND b.seq = e.seq)
 ORDER BY e.seq

-- spots_in_ranges: the positions of these ranges from one on, and whether their data is there, in order.
SELECT e.seq, e.event_type, e.subject, e.recorded_us, e.stream, e.stream_seq,
       EXISTS (SELECT FROM ledger.body b WHERE b.ledger = $1 AND b.seq = e.seq) AS there
  FROM unnest($2::bigint[], $3::bigint[]) AS r (first, last)
 CROSS JOIN LATERAL (SELECT * FROM ledger.event
                      WHERE ledger = $1 AND seq >= greatest(r.first, $4) AND seq <= r.last
                      ORDER BY seq LIMIT $5) e
 ORDER BY e.seq
 LIMIT $5

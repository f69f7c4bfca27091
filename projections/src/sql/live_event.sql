-- live_event: every event of the chain that the live projections have folded, with what it says.
SELECT l.name AS ledger, e.seq, e.event_type, e.subject, e.occurred_us, e.recorded_us, e.actor, e.publisher,
       convert_from(b.data, 'UTF8')::json AS data
  FROM views.live l
  JOIN ledger.event e ON e.ledger = l.number AND e.seq < l.next_seq
  LEFT JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq

-- retention_applied: every event that says whose data was deleted, in order.
SELECT e.seq, b.data
  FROM ledger.event e LEFT JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.event_type IN ('ledger.retention.applied', 'ledger.retention.applied.v1')
   AND e.publisher = 'ledger'
 ORDER BY e.seq

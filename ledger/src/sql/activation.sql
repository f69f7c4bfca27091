-- activation: the last activation of a catalog at or before a position.
SELECT e.seq, b.data
  FROM ledger.event e JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.seq <= $2 AND e.publisher = 'ledger'
   AND e.event_type IN ('ledger.catalog.activated', 'ledger.catalog.activated.v1')
 ORDER BY e.seq DESC LIMIT 1

-- catalogs: the packages that were recorded at or before a position, in order.
SELECT b.data
  FROM ledger.event e JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.seq <= $2 AND e.publisher = 'ledger'
   AND e.event_type IN ('ledger.catalog.recorded', 'ledger.catalog.recorded.v1')
 ORDER BY e.seq

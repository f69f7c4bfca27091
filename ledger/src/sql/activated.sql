-- activated: the position of the last activation of a catalog.
SELECT e.seq FROM ledger.event e
 WHERE e.ledger = $1 AND e.publisher = 'ledger' AND e.event_type >= 'ledger.' AND e.event_type < 'ledger/'
   AND e.event_type IN ('ledger.catalog.activated', 'ledger.catalog.activated.v1')
 ORDER BY e.seq DESC LIMIT 1

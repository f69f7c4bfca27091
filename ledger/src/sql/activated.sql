-- activated: the position of the last activation of a catalog. By type, which are few: left to itself, the planner goes
-- back along the chain until it meets one.
SELECT own.seq
  FROM (SELECT e.seq FROM ledger.event e
         WHERE e.ledger = $1 AND e.publisher = 'ledger' AND e.event_type >= 'ledger.' AND e.event_type < 'ledger/'
           AND e.event_type IN ('ledger.catalog.activated', 'ledger.catalog.activated.v1') OFFSET 0) own
 ORDER BY own.seq DESC LIMIT 1

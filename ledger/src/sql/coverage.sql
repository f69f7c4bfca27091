-- coverage: every event from a position on that says whose data is deleted, asked for or held, and incidents' causes.
SELECT e.seq, e.recorded_us, e.event_type, e.subject, e.actor, e.publisher, b.data
  FROM ledger.event e LEFT JOIN ledger.body b ON b.ledger = e.ledger AND b.seq = e.seq
 WHERE e.ledger = $1 AND e.seq >= $2 AND e.event_type >= 'ledger.' AND e.event_type < 'ledger/'
   AND e.event_type IN ('ledger.retention.applied', 'ledger.retention.applied.v1',
                        'ledger.retention.scheduled', 'ledger.retention.scheduled.v1',
                        'ledger.redaction.requested', 'ledger.redaction.requested.v1',
                        'ledger.hold.placed', 'ledger.hold.placed.v1', 'ledger.hold.released', 'ledger.hold.released.v1',
                        'ledger.incident.opened', 'ledger.incident.opened.v1',
                        'ledger.incident.cause_added', 'ledger.incident.cause_added.v1')
 ORDER BY e.seq

-- live_fact: the same with what each event says; null where that was deleted.
SELECT h.ledger, h.projection, h.kind, h.id, h.seq, h.event_type, h.from_status, h.to_status, h.occurred_us, h.recorded_us,
       h.actor, h.legal, convert_from(b.data, 'UTF8')::json AS data
  FROM views.live_history h LEFT JOIN ledger.body b ON b.ledger = h.number AND b.seq = h.seq

-- live_history: every event of every entity of the live projections.
SELECT l.name AS ledger, l.number, l.projection, h.kind, h.id, h.seq, h.event_type, h.from_status, h.to_status, h.claimed,
       h.occurred_us, h.recorded_us, h.actor, h.legal, h.redacted
  FROM views.live l JOIN views.history h ON h.projection = l.projection

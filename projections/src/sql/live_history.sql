-- live_history: every event of every entity of the live projections. By entity, so that whoever asks for one by its name
-- finds its lines; then those of kinds without state.
SELECT l.name AS ledger, l.number, l.projection, e.kind, e.id, h.seq, h.event_type, h.from_status, h.to_status, h.claimed,
       h.occurred_us, h.recorded_us, h.actor, h.legal, h.redacted
  FROM views.live l
  JOIN views.entity e ON e.projection = l.projection
  JOIN views.history h ON h.projection = e.projection AND h.source = e.created_seq
UNION ALL
SELECT l.name, l.number, l.projection, h.kind, h.id, h.seq, h.event_type, h.from_status, h.to_status, h.claimed,
       h.occurred_us, h.recorded_us, h.actor, h.legal, h.redacted
  FROM views.live l
  JOIN views.history h ON h.projection = l.projection AND h.source = -1

-- live_entity: every entity of the live projections.
SELECT l.name AS ledger, l.projection, e.kind, e.id, e.status, e.status_seq, e.since_us, e.unknown_seq, e.attributes,
       e.created_seq, e.seq, e.events, e.redacted_seq
  FROM views.live l JOIN views.entity e ON e.projection = l.projection

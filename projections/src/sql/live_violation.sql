-- live_violation: every verdict of the live projections.
SELECT l.name AS ledger, l.projection, v.violation, v.rule, v.severity, v.status, v.kind, v.id, v.cause_seq, v.seq,
       v.cleared_seq, v.judged, v.catalog, v.detail_key
  FROM views.live l JOIN views.violation v ON v.projection = l.projection

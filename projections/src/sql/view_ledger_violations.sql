-- view_ledger_violations: every verdict, with the event that caused it.
SELECT v.ledger, v.violation, v.rule, v.severity, v.status, v.kind, v.id, v.cause_seq::numeric AS cause_seq,
       v.seq::numeric AS seq, v.cleared_seq::numeric AS cleared_seq, h.event_type AS type,
       views.at_us(h.occurred_us) AS occurred_at, views.at_us(h.recorded_us) AS recorded_at, h.actor, v.judged,
       v.detail_key, v.catalog
  FROM views.live_violation v
  LEFT JOIN views.entity e ON e.projection = v.projection AND e.kind = v.kind AND e.id = v.id
  LEFT JOIN views.history h
    ON h.projection = v.projection AND h.source IN (e.created_seq, -1) AND h.seq = v.cause_seq
   AND h.kind = v.kind AND h.id = v.id

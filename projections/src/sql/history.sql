-- history: an entity's events before a position that happened up to a time. A kind without state has no entity.
WITH live AS (
    SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live'
), lines AS (
    SELECT h.* FROM live
      JOIN views.entity e ON e.projection = live.projection AND e.kind = $2 AND e.id = $3
      JOIN views.history h ON h.projection = live.projection AND h.source = e.created_seq
    UNION ALL
    SELECT h.* FROM live
      JOIN views.history h ON h.projection = live.projection AND h.source = -1 AND h.kind = $2 AND h.id = $3
)
SELECT seq, event_type, from_status, to_status, claimed, occurred_us, recorded_us, actor, legal, redacted
  FROM lines
 WHERE seq >= $4 AND seq < $5 AND occurred_us <= $6
 ORDER BY seq
 LIMIT $7

-- violations: what was judged before a position, with the line of history that caused it.
SELECT v.violation, v.rule, v.severity, v.kind, v.id, v.cause_seq, v.seq, v.judged, v.catalog, v.detail_key, v.judged_from,
       v.found_by,
       CASE WHEN v.cleared_seq < $5 THEN v.status ELSE 'open' END AS status,
       CASE WHEN v.cleared_seq < $5 THEN v.how END AS how, CASE WHEN v.cleared_seq < $5 THEN v.cleared_seq END AS by_seq,
       h.event_type, h.from_status, h.to_status, h.claimed, h.occurred_us, h.recorded_us, h.actor
  FROM views.violation v
  LEFT JOIN views.entity e ON e.projection = v.projection AND e.kind = v.kind AND e.id = v.id
  LEFT JOIN views.history h ON h.projection = v.projection AND h.source IN (e.created_seq, -1) AND h.seq = v.cause_seq
                           AND h.kind = v.kind AND h.id = v.id
 WHERE v.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND ($2::text IS NULL OR v.kind = $2) AND ($3::text IS NULL OR v.id = $3)
   AND ($4::text IS NULL OR CASE WHEN v.cleared_seq < $5 THEN v.status ELSE 'open' END = $4)
   AND v.cause_seq < $5 AND v.cause_seq >= $6
   AND ($7::text IS NULL OR v.rule = $7) AND ($8::text[] IS NULL OR v.severity = ANY ($8))
 ORDER BY v.cause_seq, v.rule, v.violation
 LIMIT $9

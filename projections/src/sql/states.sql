-- states: the entities of a kind or of all, one or all, that began before a position, after a place in their order.
SELECT kind, id, status, status_seq, since_us, unknown_seq, attributes::text, created_seq, seq, events, redacted_seq,
       status_recorded_us, created_us, created_recorded_us, changed_us, changed_recorded_us
  FROM views.entity
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR id = $3) AND created_seq < $4
   AND (kind, id) > ($5, $6) AND ($7::text IS NULL OR status = $7) AND seq >= $8
 ORDER BY kind, id
 LIMIT $9

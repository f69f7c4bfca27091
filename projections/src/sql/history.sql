-- history: an entity's events before a position that happened up to a time.
SELECT seq, event_type, from_status, to_status, claimed, occurred_us, recorded_us, actor, legal, redacted
  FROM views.history
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND kind = $2 AND id = $3 AND seq >= $4 AND seq < $5 AND occurred_us <= $6
 ORDER BY seq
 LIMIT $7

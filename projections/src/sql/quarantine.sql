-- quarantine: what was refused before a position.
SELECT seq, recorded_us, size, reason, at, publisher, nats_subject
  FROM views.quarantine
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND seq < $2
 ORDER BY seq

-- hush_outbox: of what is about positions that the old views had, only what they were publishing is published.
DELETE FROM views.outbox n
 WHERE n.projection = $1 AND n.cause_seq < $3
   AND NOT EXISTS (SELECT FROM views.outbox o WHERE o.projection = $2 AND o.id = n.id)

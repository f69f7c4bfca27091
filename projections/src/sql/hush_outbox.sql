-- hush_outbox: of what is about positions that the old views had, only what they were publishing is published. A look-up a
-- key, whatever the statistics say: as a join it went through all of the one for each of the other.
DELETE FROM views.outbox n
 WHERE n.projection = $1 AND n.cause_seq < $3
   AND (SELECT true FROM views.outbox o WHERE o.projection = $2 AND o.id = n.id LIMIT 1) IS NULL

-- sweep_outbox: deletes some rows that nobody reads any more.
DELETE FROM views.outbox
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.outbox WHERE projection = $1 LIMIT $2))
   AND projection = $1

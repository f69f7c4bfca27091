-- sweep_history: deletes some rows that nobody reads any more.
DELETE FROM views.history
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.history WHERE projection = $1 LIMIT $2))
   AND projection = $1

-- sweep_deadline: deletes some rows that nobody reads any more.
DELETE FROM views.deadline
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.deadline WHERE projection = $1 LIMIT $2))
   AND projection = $1

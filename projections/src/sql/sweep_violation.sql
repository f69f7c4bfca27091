-- sweep_violation: deletes some rows that nobody reads any more.
DELETE FROM views.violation
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.violation WHERE projection = $1 LIMIT $2))
   AND projection = $1

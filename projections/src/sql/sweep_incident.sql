-- sweep_incident: deletes some rows that nobody reads any more.
DELETE FROM views.incident
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.incident WHERE projection = $1 LIMIT $2))
   AND projection = $1

-- sweep_incident_cause: deletes some rows that nobody reads any more.
DELETE FROM views.incident_cause
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.incident_cause WHERE projection = $1 LIMIT $2))
   AND projection = $1

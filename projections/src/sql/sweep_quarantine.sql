-- sweep_quarantine: deletes some rows that nobody reads any more.
DELETE FROM views.quarantine
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.quarantine WHERE projection = $1 LIMIT $2))
   AND projection = $1

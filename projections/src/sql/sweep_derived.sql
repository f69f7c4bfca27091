-- sweep_derived: deletes some rows that nobody reads any more.
DELETE FROM views.derived
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.derived WHERE projection = $1 LIMIT $2))
   AND projection = $1

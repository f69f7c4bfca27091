-- sweep_entity: deletes some rows that nobody reads any more.
DELETE FROM views.entity
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.entity WHERE projection = $1 LIMIT $2))
   AND projection = $1

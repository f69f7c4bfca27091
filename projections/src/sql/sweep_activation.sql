-- sweep_activation: deletes some rows that nobody reads any more.
DELETE FROM views.activation
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.activation WHERE projection = $1 LIMIT $2))
   AND projection = $1

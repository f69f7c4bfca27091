-- sweep_link: deletes some rows that nobody reads any more.
DELETE FROM views.link
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.link WHERE projection = $1 LIMIT $2))
   AND projection = $1

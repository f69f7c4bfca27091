-- sweep_publisher_number: deletes some rows that nobody reads any more.
DELETE FROM views.publisher_number
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.publisher_number WHERE projection = $1 LIMIT $2))
   AND projection = $1

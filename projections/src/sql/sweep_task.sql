-- sweep_task: deletes some rows that nobody reads any more.
DELETE FROM views.task
 WHERE ctid = ANY (ARRAY(SELECT ctid FROM views.task WHERE projection = $1 LIMIT $2))
   AND projection = $1

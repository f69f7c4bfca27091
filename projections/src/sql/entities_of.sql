-- entities_of: the attributes of a kind's entities after one of them, a page at a time.
SELECT id, attributes::text, status, created_seq FROM views.entity
 WHERE projection = $1 AND kind = $2 AND id > $3
 ORDER BY id LIMIT 2000

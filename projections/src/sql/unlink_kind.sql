-- unlink_kind: all links of a kind, to be derived anew.
DELETE FROM views.link
 WHERE projection = $1 AND source IN (SELECT created_seq FROM views.entity WHERE projection = $1 AND kind = $2)

-- unlink_kind: all links of a kind, to be derived anew. Of a kind that has no entities yet none are looked for.
DELETE FROM views.link
 WHERE projection = $1 AND kind = $2 AND EXISTS (SELECT FROM views.entity WHERE projection = $1 AND kind = $2)

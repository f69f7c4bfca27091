-- load_kind: all entities of a kind.
SELECT id, created_seq FROM views.entity WHERE projection = $1 AND kind = $2

-- load_kind: all entities of a kind.
SELECT id FROM views.entity WHERE projection = $1 AND kind = $2

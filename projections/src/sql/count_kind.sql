-- count_kind: how many entities a kind has.
SELECT count(*) FROM views.entity WHERE projection = $1 AND kind = $2

-- unlink_kind: all links of a kind, to be derived anew.
DELETE FROM views.link WHERE projection = $1 AND kind = $2

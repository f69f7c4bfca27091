-- load_of_classes: what the open incidents of these classes are about: nothing opens or resolves them any more.
SELECT DISTINCT class, kind, id FROM views.incident WHERE projection = $1 AND class = ANY ($2) AND resolved_seq IS NULL

-- load_derived: derived events other than verdicts, by their ids.
SELECT id, cause_seq, seq, digest FROM views.derived WHERE projection = $1 AND id = ANY ($2)

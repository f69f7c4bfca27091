-- load_verdicts: those of a batch that are known.
SELECT violation, rule, severity, kind, id, cause_seq, judged_from, catalog, detail_key, judged, seq, found_by, cleared_seq,
       how, told_seq
  FROM views.violation WHERE projection = $1 AND violation = ANY ($2)

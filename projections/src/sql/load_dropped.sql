-- load_dropped: the verdicts of rules that are judged no more.
SELECT violation, rule, severity, kind, id, cause_seq, judged_from, catalog, detail_key, judged, seq, found_by, cleared_seq,
       how, told_seq
  FROM views.violation WHERE projection = $1 AND status = 'open' AND found_by = ANY ($2)

-- load_open: the verdicts about these entities that a rule may clear yet.
SELECT v.violation, v.rule, v.severity, v.kind, v.id, v.cause_seq, v.judged_from, v.catalog, v.detail_key, v.judged,
       v.seq, v.found_by, v.cleared_seq, v.how, v.told_seq
  FROM unnest($2::text[], $3::text[]) AS k (kind, id)
  JOIN views.violation v ON v.projection = $1 AND v.kind = k.kind AND v.id = k.id
                        AND v.status = 'open' AND v.found_by IS NOT NULL

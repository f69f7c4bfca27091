-- load_open: the verdicts about these entities that a rule may clear yet. A look-up a key, whatever the statistics say.
SELECT v.violation, v.rule, v.severity, v.kind, v.id, v.cause_seq, v.judged_from, v.catalog, v.detail_key, v.judged,
       v.seq, v.found_by, v.cleared_seq, v.how, v.told_seq
  FROM unnest($2::text[], $3::text[]) AS k (kind, id)
 CROSS JOIN LATERAL (SELECT * FROM views.violation
                      WHERE projection = $1 AND kind = k.kind AND id = k.id
                        AND status = 'open' AND found_by IS NOT NULL OFFSET 0) v

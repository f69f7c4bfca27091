-- load_incidents: the last incident of each class about these entities. A look-up a key, whatever the statistics say.
SELECT i.incident, i.class, i.kind, i.id, i.severity, i.rule, i.judged, i.opened_seq, i.opened_us, i.last_cause,
       i.reopens, i.acknowledged_seq, i.acknowledged_us, i.acknowledged_by, i.resolved_seq, i.resolved_us, i.resolved_by
  FROM unnest($2::text[], $3::text[]) AS k (kind, id)
 CROSS JOIN LATERAL (SELECT DISTINCT ON (class) * FROM views.incident
                      WHERE projection = $1 AND kind = k.kind AND id = k.id
                      ORDER BY class, opened_seq DESC OFFSET 0) i

-- load_deadlines: the deadlines that are set for these entities. A look-up a key, whatever the statistics say.
SELECT d.kind, d.id, d.owner, d.rule, d.part, d.key, d.due_us, d.armed_seq, d.fired
  FROM unnest($2::text[], $3::text[]) AS k (kind, id)
 CROSS JOIN LATERAL (SELECT * FROM views.deadline
                      WHERE projection = $1 AND kind = k.kind AND id = k.id OFFSET 0) d

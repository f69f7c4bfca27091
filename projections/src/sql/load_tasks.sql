-- load_tasks: those of these that are open. A look-up a task, whatever the statistics say.
SELECT t.class, t.kind, t.id, t.task, t.cause_seq
  FROM unnest($2::text[], $3::text[], $4::text[]) AS k (class, kind, id)
 CROSS JOIN LATERAL (SELECT * FROM views.task
                      WHERE projection = $1 AND kind = k.kind AND id = k.id AND class = k.class OFFSET 0) t

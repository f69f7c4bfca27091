-- load_due: the next deadlines that have not fired, in the order in which they do.
SELECT kind, id, owner, rule, part, key, due_us, armed_seq, fired
  FROM views.deadline
 WHERE projection = $1 AND NOT fired AND due_us >= $2 AND due_us < $3
   AND ($4::text IS NULL OR due_us > $2
        OR (kind, id, split_part(owner, '.', 1), split_part(owner, '.', 2), rule, part, key)
           > ($4, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text))
 ORDER BY due_us, kind, id, split_part(owner, '.', 1), split_part(owner, '.', 2), rule, part, key
 LIMIT $11

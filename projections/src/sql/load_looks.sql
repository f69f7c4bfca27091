-- load_looks: which entities these look-ups find.
SELECT k.number, l.id, e.created_seq
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS k (kind, field, target_kind, target_id, number)
  JOIN views.link l ON l.projection = $1 AND l.target_kind = k.target_kind AND l.target_id = k.target_id
                   AND l.kind = k.kind AND l.field = k.field
  JOIN views.entity e ON e.projection = $1 AND e.kind = l.kind AND e.id = l.id

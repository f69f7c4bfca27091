-- named: which of these are there, and their statuses. What has a history is there, also where its kind has no state.
SELECT e.status,
       e.id IS NULL AND NOT EXISTS (SELECT FROM views.history h
                                     WHERE h.projection = $1 AND h.source = -1 AND h.kind = k.kind AND h.id = k.id) AS dangling
  FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS k (kind, id, number)
  LEFT JOIN views.entity e ON e.projection = $1 AND e.kind = k.kind AND e.id = k.id
 ORDER BY k.number

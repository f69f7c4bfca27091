-- named: which of these are there, and their statuses. What has a history is there, also where its kind has no state.
SELECT e.status,
       e.id IS NULL AND NOT EXISTS (SELECT FROM views.history h
                                     WHERE h.projection = p.projection AND h.source = -1
                                       AND h.kind = k.kind AND h.id = k.id) AS dangling
  FROM views.projection p
 CROSS JOIN unnest($2::text[], $3::text[]) WITH ORDINALITY AS k (kind, id, number)
  LEFT JOIN views.entity e ON e.projection = p.projection AND e.kind = k.kind AND e.id = k.id
 WHERE p.ledger = $1 AND p.state = 'live'
 ORDER BY k.number

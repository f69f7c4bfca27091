-- links_from: what an entity names. What has a history is there, also where its kind has no state.
SELECT k.field, k.target_kind, k.target_id, e.status,
       NOT EXISTS (SELECT FROM views.history h
                    WHERE h.projection = k.projection AND h.kind = k.target_kind AND h.id = k.target_id) AS dangling
  FROM views.entity s
  JOIN views.link k ON k.projection = s.projection AND k.source = s.created_seq
  LEFT JOIN views.entity e ON e.projection = k.projection AND e.kind = k.target_kind AND e.id = k.target_id
 WHERE s.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND s.kind = $2 AND s.id = $3 AND k.target_kind <> ''
 ORDER BY k.field, k.target_kind, k.target_id
 LIMIT $4

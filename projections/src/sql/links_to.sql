-- links_to: what names an entity.
SELECT k.kind, k.id, k.field, e.status
  FROM views.link k
  LEFT JOIN views.entity e ON e.projection = k.projection AND e.kind = k.kind AND e.id = k.id
 WHERE k.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND views.digest(k.target_kind, k.target_id) = views.digest($2, $3) AND k.target_kind = $2 AND k.target_id = $3
 ORDER BY k.kind, k.field, k.id
 LIMIT $4

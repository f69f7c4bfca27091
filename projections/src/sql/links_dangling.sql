-- links_dangling: what is named and not there, of all entities or those of a kind. What has a history is there.
SELECT k.kind, k.id, k.field, k.target_kind, k.target_id
  FROM views.link k
 WHERE k.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND ($2::text IS NULL OR k.kind = $2) AND k.target_kind <> ''
   AND NOT EXISTS (SELECT FROM views.entity e
                    WHERE e.projection = k.projection AND e.kind = k.target_kind AND e.id = k.target_id)
   AND NOT EXISTS (SELECT FROM views.history h
                    WHERE h.projection = k.projection AND h.source = -1
                      AND h.kind = k.target_kind AND h.id = k.target_id)
 ORDER BY k.kind, k.id, k.field, k.target_kind, k.target_id
 LIMIT $3

-- links_dangling: what is named and not there, of all entities or those of a kind.
SELECT k.kind, k.id, k.field, k.target_kind, k.target_id
  FROM views.link k
 WHERE k.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND ($2::text IS NULL OR k.kind = $2) AND k.target_kind <> ''
   AND NOT EXISTS (SELECT FROM views.history h
                    WHERE h.projection = k.projection AND h.kind = k.target_kind AND h.id = k.target_id)
 ORDER BY k.kind, k.id, k.field, k.target_kind, k.target_id
 LIMIT $3

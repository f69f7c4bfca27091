-- live_link: what every entity of the live projections says at the places that the catalog indexes. dangling: it names
-- what is not there (yet). What has a history is there, also where its kind has no state.
SELECT l.name AS ledger, l.projection, k.kind, k.id, k.field, k.target_kind, k.target_id,
       k.target_kind <> ''
         AND NOT EXISTS (SELECT FROM views.entity e
                          WHERE e.projection = k.projection AND e.kind = k.target_kind AND e.id = k.target_id)
         AND NOT EXISTS (SELECT FROM views.history h
                          WHERE h.projection = k.projection AND h.source = -1
                            AND h.kind = k.target_kind AND h.id = k.target_id) AS dangling
  FROM views.live l JOIN views.link k ON k.projection = l.projection

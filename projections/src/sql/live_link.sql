-- live_link: what every entity of the live projections says at the places that the catalog indexes. dangling: it names
-- an entity that is not there (yet).
SELECT l.name AS ledger, l.projection, k.kind, k.id, k.field, k.target_kind, k.target_id,
       k.target_kind <> '' AND NOT EXISTS (SELECT FROM views.entity e
                                            WHERE e.projection = k.projection AND e.kind = k.target_kind AND e.id = k.target_id)
         AS dangling
  FROM views.live l JOIN views.link k ON k.projection = l.projection

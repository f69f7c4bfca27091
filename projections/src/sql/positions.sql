-- positions: where the events of these entities stand, before a position.
SELECT k.number, h.seq
  FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS k (kind, id, number)
  JOIN views.entity e ON e.projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
                     AND e.kind = k.kind AND e.id = k.id
  JOIN views.history h ON h.projection = e.projection AND h.source = e.created_seq
 WHERE h.seq < $4
 ORDER BY k.number, h.seq

-- redact_history: marks lines whose events' data is deleted. A kind without state has no entity.
UPDATE views.history h SET redacted = true
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS g (kind, id, seq)
  LEFT JOIN views.entity e ON e.projection = $1 AND e.kind = g.kind AND e.id = g.id
 WHERE h.projection = $1 AND h.source IN (e.created_seq, -1) AND h.seq = g.seq

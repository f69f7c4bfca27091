-- redact_history: marks lines whose events' data is deleted.
UPDATE views.history h SET redacted = true
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS g (kind, id, seq)
 WHERE h.projection = $1 AND h.kind = g.kind AND h.id = g.id AND h.seq = g.seq

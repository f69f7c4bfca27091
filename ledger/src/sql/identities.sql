-- identities: every position beside the identity that is taken for it; either may be missing.
SELECT coalesce(e.seq, s.seq) AS seq, e.seq IS NOT NULL AS is_there, e.publisher, e.source, e.id, e.event_type,
       e.subject, s.key
  FROM (SELECT seq, publisher, source, id, event_type, subject FROM ledger.event WHERE ledger = $1) e
  FULL JOIN (SELECT seq, key FROM ledger.seen WHERE ledger = $1) s ON s.seq = e.seq

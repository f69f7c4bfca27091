-- known: what the chain holds under these identities. LATERAL … LIMIT 1 keeps to index look-ups whatever the statistics say.
SELECT k.key, e.seq, e.occurred_us, e.recorded_us, e.source, e.id, e.event_type, e.subject, e.actor, e.publisher,
       e.context, b.data
  FROM unnest($2::uuid[]) AS k(key)
 CROSS JOIN LATERAL (SELECT seq FROM ledger.seen WHERE ledger = $1 AND key = k.key LIMIT 1) s
 CROSS JOIN LATERAL (SELECT * FROM ledger.event WHERE ledger = $1 AND seq = s.seq LIMIT 1) e
  LEFT JOIN LATERAL (SELECT data FROM ledger.body WHERE ledger = $1 AND seq = s.seq LIMIT 1) b ON true

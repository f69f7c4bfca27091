-- write_verdict: one that was derived, or seen in the chain.
INSERT INTO views.violation (projection, violation, rule, severity, kind, id, cause_seq, judged_from, catalog, detail_key,
                             judged, seq)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (projection, violation) DO UPDATE SET seq = excluded.seq

-- load_blocked: of the positions that an event names the first that must be kept longer, the first that a hold keeps, and
-- that hold. Kinds that are not given are kept for ever.
WITH which AS (
    SELECT ledger FROM views.projection WHERE projection = $1
), named AS (
    SELECT e.seq, e.event_type, e.recorded_us
      FROM unnest($2::bigint[], $3::bigint[]) AS r (first, last)
     CROSS JOIN LATERAL (SELECT v.seq, v.event_type, v.recorded_us FROM ledger.event v, which w
                          WHERE v.ledger = w.ledger AND v.seq >= r.first AND v.seq <= r.last AND v.seq < $4) e
), kept AS (
    SELECT min(n.seq) AS seq
      FROM named n
      LEFT JOIN unnest($5::text[], $6::bigint[]) AS k (kind, least)
        ON k.kind = substring(n.event_type FROM '^[^.]+[.][^.]+')
     WHERE $7 AND (k.least IS NULL OR n.recorded_us + k.least > $8)
), held AS (
    SELECT min(n.seq) AS seq
      FROM named n, which w
     WHERE $9 AND ledger.hold_of(w.ledger, n.seq, $4) IS NOT NULL
)
SELECT kept.seq, held.seq, (SELECT ledger.hold_of(w.ledger, held.seq, $4) FROM which w) FROM kept, held

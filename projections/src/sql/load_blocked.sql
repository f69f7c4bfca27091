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
    SELECT n.seq, h.seq AS hold
      FROM which w
     CROSS JOIN named n
     CROSS JOIN LATERAL (SELECT ledger.hold_of(w.ledger, n.seq, $4) AS seq WHERE $9::bigint IS NOT NULL) o
      JOIN ledger.event h ON h.ledger = w.ledger AND h.seq = o.seq
     WHERE h.recorded_us <= $9
     ORDER BY n.seq LIMIT 1
)
SELECT kept.seq, held.seq, held.hold FROM kept LEFT JOIN held ON true

-- history: an entity's events before a position that happened up to a time. Each part comes in the order of its index, so
-- a page costs a page. A kind without state has no entity.
SELECT seq, event_type, from_status, to_status, claimed, occurred_us, recorded_us, actor, legal, redacted
  FROM ((SELECT * FROM views.history
          WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
            AND source = (SELECT e.created_seq FROM views.entity e JOIN views.projection p USING (projection)
                           WHERE p.ledger = $1 AND p.state = 'live' AND e.kind = $2 AND e.id = $3)
            AND seq >= $4 AND seq < $5 AND occurred_us <= $6
          ORDER BY seq LIMIT $7)
        UNION ALL
        (SELECT * FROM views.history
          WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
            AND source = -1 AND kind = $2 AND id = $3
            AND seq >= $4 AND seq < $5 AND occurred_us <= $6
          ORDER BY kind, id, seq LIMIT $7)) lines
 ORDER BY seq
 LIMIT $7

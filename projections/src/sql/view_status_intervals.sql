-- view_status_intervals: a row each time that an entity was in a status.
SELECT s.ledger, s.kind, s.id, s.status, views.at_us(s.from_us) AS from_at, views.at_us(s.until_us) AS until_at,
       greatest(trim_scale(extract(epoch FROM coalesce(views.at_us(s.until_us), now()) - views.at_us(s.from_us))::numeric), 0)
         AS seconds,
       s.until_seq IS NULL AS open, s.from_seq::numeric AS from_seq, s.until_seq::numeric AS until_seq, s.actor
  FROM (SELECT h.ledger, h.kind, h.id, h.to_status AS status, h.occurred_us AS from_us, h.seq AS from_seq, h.actor,
               lead(h.occurred_us) OVER w AS until_us, lead(h.seq) OVER w AS until_seq
          FROM views.live_history h
         WHERE h.to_status IS DISTINCT FROM h.from_status
        WINDOW w AS (PARTITION BY h.ledger, h.kind, h.id ORDER BY h.seq)) s
 WHERE s.status IS NOT NULL

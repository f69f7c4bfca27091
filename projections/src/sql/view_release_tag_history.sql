-- view_release_tag_history: every commit that every tag pointed to, and for how long.
SELECT t.ledger, t.id AS tag_name, e.attributes ->> 'tag_type' AS tag_type, t.seq::numeric AS seq, t.verb AS event,
       coalesce(t.old, lag(t.new) OVER w) AS commit_before, t.new AS commit_after,
       views.at_us(t.occurred_us) AS from_at, views.at_us(lead(t.occurred_us) OVER w) AS until_at,
       lead(t.seq) OVER w IS NULL AS current, views.at_us(t.recorded_us) AS recorded_at, t.actor, t.deployment_id,
       t.legal, t.redacted
  FROM (SELECT f.projection, f.ledger, f.kind, f.id, f.seq, f.verb, f.occurred_us, f.recorded_us, f.actor, f.legal,
               f.data ->> 'old' AS old, f.data ->> 'deployment_id' AS deployment_id, f.data IS NULL AS redacted,
               CASE f.verb WHEN 'deleted' THEN NULL
               ELSE coalesce(f.data ->> 'commit_sha', f.data ->> 'new') END AS new
          FROM (SELECT l.*, split_part(l.event_type, '.', 3) AS verb
                  FROM views.live_fact l WHERE l.kind = 'release.git_tag') f) t
  LEFT JOIN views.live_entity e ON e.projection = t.projection AND e.kind = t.kind AND e.id = t.id
WINDOW w AS (PARTITION BY t.ledger, t.id ORDER BY t.seq)

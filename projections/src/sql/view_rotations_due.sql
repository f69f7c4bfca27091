-- view_rotations_due: what is to be rotated next, and by when.
SELECT d.ledger, d.kind, d.id, d.scope, views.at_us(d.last_us) AS last_at, d.due_at, d.due_at < now() AS overdue
  FROM (SELECT DISTINCT ON (r.ledger, r.attributes ->> 'rotation_scope')
               r.ledger, r.kind, r.id, r.attributes ->> 'rotation_scope' AS scope, r.since_us AS last_us,
               views.as_time(r.attributes ->> 'next_rotation_due') AS due_at, r.status
          FROM views.live_entity r
         WHERE r.kind = 'cluster.secret_rotation' AND r.status IN ('in-progress', 'verified')
         ORDER BY r.ledger, r.attributes ->> 'rotation_scope', r.status_seq DESC) d
 WHERE d.status = 'verified' AND d.due_at IS NOT NULL
UNION ALL
SELECT b.ledger, b.kind, b.id, i.item ->> 'name', views.at_us(last.us), due.at, due.at < now()
  FROM views.live_entity b
 CROSS JOIN LATERAL json_array_elements(CASE json_typeof(b.attributes -> 'items') WHEN 'array' THEN b.attributes -> 'items' END)
       AS i (item)
 CROSS JOIN LATERAL (
       SELECT max(f.occurred_us) AS us
         FROM views.live_fact f
        WHERE f.projection = b.projection AND f.kind = b.kind AND f.id = b.id
          AND CASE WHEN f.event_type LIKE '%.created' THEN true
                   WHEN f.event_type NOT LIKE '%.rotated' THEN false
                   WHEN json_typeof(f.data -> 'rotated_items') = 'array'
                   THEN EXISTS (SELECT FROM json_array_elements_text(f.data -> 'rotated_items') AS name (name)
                                 WHERE name.name = i.item ->> 'name')
                   ELSE true END) AS last
 CROSS JOIN LATERAL (
       SELECT views.at_us(last.us) + interval '1 day'
            * CASE json_typeof(i.item -> 'rotation_frequency_days')
              WHEN 'number' THEN least((i.item ->> 'rotation_frequency_days')::numeric, 100000)::double precision END AS at) AS due
 WHERE b.kind = 'platform.secrets_bundle' AND due.at IS NOT NULL
UNION ALL
SELECT c.ledger, c.kind, c.id, coalesce(c.attributes ->> 'key_name', c.id), views.at_us(last.us), due.at, due.at < now()
  FROM views.live_entity c
 CROSS JOIN LATERAL (
       SELECT max(h.occurred_us) AS us
         FROM views.history h
        WHERE h.projection = c.projection AND h.source = c.created_seq
          AND (h.seq = c.created_seq OR h.from_status = 'rotating' AND h.to_status = 'active')) AS last
 CROSS JOIN LATERAL (
       SELECT views.at_us(last.us) + interval '1 day'
            * CASE json_typeof(c.attributes -> 'rotation_cadence_days')
              WHEN 'number' THEN least((c.attributes ->> 'rotation_cadence_days')::numeric, 100000)::double precision END AS at) AS due
 WHERE c.kind = 'delivery.credential_set' AND c.status = 'active' AND due.at IS NOT NULL

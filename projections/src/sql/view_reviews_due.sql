-- view_reviews_due: what somebody is to look at next, and by when: each quarter of 92 days, or as its kind says.
SELECT d.ledger, d.kind, d.id, d.what, views.at_us(d.last_us) AS last_at,
       views.at_us(d.last_us) + interval '1 day' * d.days AS due_at,
       views.at_us(d.last_us) + interval '1 day' * d.days < now() AS overdue
  FROM (SELECT e.ledger, e.kind, e.id, k.what, k.days,
               (SELECT max(h.occurred_us) FROM views.live_history h
                 WHERE h.projection = e.projection AND h.kind = e.kind AND h.id = e.id
                   AND (h.seq = e.created_seq OR h.event_type = k.done OR h.from_status IS NULL AND h.to_status = k.status))
                 AS last_us
          FROM (VALUES ('platform.access_policy', 'live', 'review', 'platform.access_policy.reviewed', 92, NULL, NULL),
                       ('cluster.alert_route', 'active', 'review', 'cluster.alert_route.reviewed', 92, NULL, NULL),
                       ('cluster.alert_route', 'active', 'test', 'cluster.alert_route.tested', 30, 'severity', 'critical'))
               AS k (kind, status, what, done, days, field, value)
          JOIN views.live_entity e ON e.kind = k.kind AND e.status = k.status
         WHERE k.field IS NULL OR e.attributes ->> k.field = k.value
        UNION ALL
        SELECT o.ledger, o.kind, o.id, 'review', 5, h.occurred_us
          FROM views.live_entity o
          JOIN views.live_history h
            ON h.projection = o.projection AND h.kind = o.kind AND h.id = o.id AND h.seq = o.created_seq
         WHERE o.kind = 'governance.override'
           AND NOT EXISTS (SELECT FROM views.live_entity r
                            WHERE r.projection = o.projection AND r.kind = 'governance.review'
                              AND r.attributes ->> 'override_id' = o.id)) d

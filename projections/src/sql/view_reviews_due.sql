-- view_reviews_due: what somebody is to look at next, and by when: as the settings of the active catalog say.
SELECT d.ledger, d.kind, d.id, d.what, views.at_us(d.last_us) AS last_at,
       views.at_us(d.last_us) + d.span AS due_at, views.at_us(d.last_us) + d.span < now() AS overdue
  FROM (SELECT o.ledger, o.kind, o.id, o.what, o.last_us,
               coalesce((SELECT c.data #>> (array['settings'] || o.setting::text[]) FROM views.live_fact c
                          WHERE c.projection = o.projection AND c.kind = 'ledger.catalog' AND c.id = o.ledger
                            AND c.event_type IN ('ledger.catalog.activated', 'ledger.catalog.activated.v1')
                          ORDER BY c.seq DESC LIMIT 1), o.otherwise)::interval AS span
          FROM (SELECT e.ledger, e.projection, e.kind, e.id, k.what, k.setting, k.otherwise,
                       (SELECT max(h.occurred_us) FROM views.history h
                         WHERE h.projection = e.projection AND h.source = e.created_seq
                           AND (h.seq = e.created_seq OR h.event_type = k.done
                                OR h.from_status IS NULL AND h.to_status = k.status)) AS last_us
                  FROM (VALUES
                        ('platform.access_policy', 'live', 'review', 'platform.access_policy.reviewed',
                         '{quarter}', '92d', NULL, NULL),
                        ('cluster.alert_route', 'active', 'review', 'cluster.alert_route.reviewed',
                         '{quarter}', '92d', NULL, NULL),
                        ('cluster.alert_route', 'active', 'test', 'cluster.alert_route.tested',
                         '{interval,alert_route_test}', '30d', 'severity', 'critical'))
                       AS k (kind, status, what, done, setting, otherwise, field, value)
                  JOIN views.live_entity e ON e.kind = k.kind AND e.status = k.status
                 WHERE k.field IS NULL OR e.attributes ->> k.field = k.value
                UNION ALL
                SELECT o.ledger, o.projection, o.kind, o.id, 'review', '{grace,emergency_review}', '5d', h.occurred_us
                  FROM views.live_entity o
                  JOIN views.history h
                    ON h.projection = o.projection AND h.source = o.created_seq AND h.seq = o.created_seq
                 WHERE o.kind = 'governance.override'
                   AND NOT EXISTS (SELECT FROM views.live_entity r
                                    WHERE r.projection = o.projection AND r.kind = 'governance.review'
                                      AND r.attributes ->> 'override_id' = o.id)) o) d

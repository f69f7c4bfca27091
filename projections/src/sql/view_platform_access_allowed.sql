-- view_platform_access_allowed: who was allowed what, from when to when. Fields that an event does not carry hold on.
SELECT s.ledger, s.id, s.environment #>> '{}' AS environment, s.role #>> '{}' AS role, s.holder #>> '{}' AS holder,
       s.permissions #>> '{}' AS permissions, s.valid_from, s.valid_to,
       CASE WHEN s.valid_to IS NULL THEN NULL WHEN s.valid_to = s.next_at THEN s.next_verb ELSE 'expiry' END AS ended_by,
       s.seq::numeric AS seq, s.actor
  FROM (SELECT f.*, least(f.next_at, views.as_time(f.expiry #>> '{}')) AS valid_to
          FROM (SELECT g.ledger, g.id, g.seq, g.actor, g.to_status, g.at AS valid_from,
                       first_value(g.environment) OVER (PARTITION BY g.ledger, g.id, g.environments ORDER BY g.seq) AS environment,
                       first_value(g.role) OVER (PARTITION BY g.ledger, g.id, g.roles ORDER BY g.seq) AS role,
                       first_value(g.holder) OVER (PARTITION BY g.ledger, g.id, g.holders ORDER BY g.seq) AS holder,
                       first_value(g.permissions) OVER (PARTITION BY g.ledger, g.id, g.grants ORDER BY g.seq) AS permissions,
                       first_value(g.expiry) OVER (PARTITION BY g.ledger, g.id, g.expiries ORDER BY g.seq) AS expiry,
                       lead(g.at) OVER w AS next_at, lead(g.verb) OVER w AS next_verb
                  FROM (SELECT e.*, e.data -> 'environment' AS environment, e.data -> 'role' AS role,
                               e.data -> 'holder' AS holder, e.data -> 'permissions' AS permissions,
                               e.data -> 'expiry' AS expiry, count(e.data -> 'environment') OVER w AS environments,
                               count(e.data -> 'role') OVER w AS roles, count(e.data -> 'holder') OVER w AS holders,
                               count(e.data -> 'permissions') OVER w AS grants, count(e.data -> 'expiry') OVER w AS expiries
                          FROM (SELECT v.ledger, v.id, v.seq, v.actor, v.to_status, v.data, v.verb,
                                       coalesce(CASE v.verb WHEN 'granted' THEN views.as_time(v.data ->> 'granted_at') END,
                                                views.at_us(v.occurred_us)) AS at
                                  FROM (SELECT l.*, split_part(l.event_type, '.', 3) AS verb
                                          FROM views.live_fact l WHERE l.kind = 'platform.access_policy') v
                                 WHERE v.verb IN ('granted', 'updated', 'expired', 'revoked')) e
                        WINDOW w AS (PARTITION BY e.ledger, e.id ORDER BY e.seq)) g
                WINDOW w AS (PARTITION BY g.ledger, g.id ORDER BY g.seq)) f) s
 WHERE s.to_status = 'live' AND (s.valid_to IS NULL OR s.valid_to > s.valid_from)

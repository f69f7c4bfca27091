-- compare: the rows that only one of two projections has ($1 the living one), but for those about entities whose data was deleted.
WITH lost AS (
    SELECT kind, id FROM views.entity
     WHERE projection = $2 AND (redacted_seq IS NOT NULL OR unknown_seq IS NOT NULL)
), said (projection, view, kind, id, row) AS (
    SELECT projection, 'entity', kind, id,
           ROW(status, status_seq, since_us, created_seq, created_us, seq, changed_us, events, attributes::text)::text
      FROM views.entity WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'history', kind, id,
           ROW(seq, event_type, from_status, to_status, claimed, legal, actor, occurred_us, recorded_us, redacted)::text
      FROM views.history WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'link', kind, id, ROW(field, target_kind, target_id)::text
      FROM views.link WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'violation', kind, id,
           ROW(rule, severity, status, cause_seq, seq, cleared_seq, how, detail_key, judged_from, catalog, violation)::text
      FROM views.violation WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'incident', kind, id,
           ROW(class, severity, status, rule, opened_seq, opened_us, last_cause, acknowledged_seq, acknowledged_by,
               resolved_seq, resolved_us, resolved_by, reopens, incident)::text
      FROM views.incident WHERE projection IN ($1, $2)
    UNION ALL
    SELECT c.projection, 'incident_cause', i.kind, i.id, ROW(c.cause_seq, c.incident)::text
      FROM views.incident_cause c LEFT JOIN views.incident i USING (projection, incident) WHERE c.projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'deadline', kind, id, ROW(owner, rule, part, key, due_us, armed_seq, fired)::text
      FROM views.deadline WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'task', kind, id, ROW(class, cause_seq, task)::text
      FROM views.task WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'quarantine', NULL, seq::text, ROW(reason, at, publisher, nats_subject, size, recorded_us)::text
      FROM views.quarantine WHERE projection IN ($1, $2)
    UNION ALL
    SELECT projection, 'activation', NULL, seq::text, ROW(digest)::text
      FROM views.activation WHERE projection IN ($1, $2)
)
SELECT view, kind, id, row, count(*) FILTER (WHERE projection = $1) > count(*) FILTER (WHERE projection = $2) AS living
  FROM said
 WHERE NOT EXISTS (SELECT FROM lost WHERE lost.kind = said.kind AND lost.id = said.id)
 GROUP BY view, kind, id, row
HAVING count(*) FILTER (WHERE projection = $1) <> count(*) FILTER (WHERE projection = $2)
 ORDER BY view, kind, id, living
 LIMIT $3

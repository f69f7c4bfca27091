-- incidents: those opened before a position, as they stood there.
SELECT i.incident, i.class, i.severity, i.status, i.kind, i.id, i.rule, i.opened_us, i.reopens, i.judged,
       i.acknowledged_seq, i.acknowledged_us, i.acknowledged_by, i.resolved_seq, i.resolved_us, i.resolved_by,
       ARRAY(SELECT c.cause_seq FROM views.incident_cause c
              WHERE c.projection = i.projection AND c.incident = i.incident AND c.cause_seq < $2
              ORDER BY c.cause_seq) AS causes,
       (SELECT d.seq FROM views.derived d
         WHERE d.projection = i.projection AND d.id = i.incident AND d.seq < $2) AS seq
  FROM (SELECT projection, incident, class, severity, kind, id, rule, opened_seq, opened_us, reopens, judged,
               CASE WHEN resolved_seq < $2 THEN 'resolved' WHEN acknowledged_seq < $2 THEN 'acknowledged' ELSE 'open' END
                 AS status,
               CASE WHEN acknowledged_seq < $2 THEN acknowledged_seq END AS acknowledged_seq,
               CASE WHEN acknowledged_seq < $2 THEN acknowledged_us END AS acknowledged_us,
               CASE WHEN acknowledged_seq < $2 THEN acknowledged_by END AS acknowledged_by,
               CASE WHEN resolved_seq < $2 THEN resolved_seq END AS resolved_seq,
               CASE WHEN resolved_seq < $2 THEN resolved_us END AS resolved_us,
               CASE WHEN resolved_seq < $2 THEN resolved_by END AS resolved_by
          FROM views.incident
         WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
           AND opened_seq < $2) i
 WHERE ($3::text IS NULL OR i.kind = $3) AND ($4::text IS NULL OR i.id = $4)
   AND ($5::text IS NULL OR starts_with(i.incident, $5)) AND ($6::text IS NULL OR i.class = $6)
   AND ($7::text[] IS NULL OR i.status = ANY ($7)) AND ($8::text[] IS NULL OR i.severity = ANY ($8))
   AND i.opened_seq >= $9
 ORDER BY i.opened_seq, i.incident
 LIMIT $10

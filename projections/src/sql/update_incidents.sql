-- update_incidents: what became of incidents that were open before. A look-up a key, whatever the statistics say.
UPDATE views.incident i
   SET status = u.status, last_cause = u.last_cause, acknowledged_seq = u.acknowledged_seq,
       acknowledged_us = u.acknowledged_us, acknowledged_by = u.acknowledged_by, resolved_seq = u.resolved_seq,
       resolved_us = u.resolved_us, resolved_by = u.resolved_by
  FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[],
              $10::text[])
    AS u (incident, status, last_cause, acknowledged_seq, acknowledged_us, acknowledged_by, resolved_seq, resolved_us,
          resolved_by)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.incident
                      WHERE projection = $1 AND incident = u.incident LIMIT 1) old
 WHERE i.ctid = old.place

-- update_entities: the states after a batch, of entities that began before it. A look-up a key, whatever the statistics say.
UPDATE views.entity e
   SET status = u.status, status_seq = u.status_seq, since_us = u.since_us, unknown_seq = u.unknown_seq,
       attributes = u.attributes::json, seq = u.seq, events = u.events, redacted_seq = u.redacted_seq,
       status_recorded_us = u.status_recorded_us, changed_us = u.changed_us, changed_recorded_us = u.changed_recorded_us
  FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
              $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
    AS u (kind, id, status, status_seq, since_us, unknown_seq, attributes, seq, events, redacted_seq, status_recorded_us,
          changed_us, changed_recorded_us)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.entity
                      WHERE projection = $1 AND kind = u.kind AND id = u.id LIMIT 1) old
 WHERE e.ctid = old.place

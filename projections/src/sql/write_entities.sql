-- write_entities: the states after a batch.
INSERT INTO views.entity AS e (projection, kind, id, status, status_seq, since_us, unknown_seq, attributes, created_seq, seq,
                               events, redacted_seq)
SELECT $1, u.kind, u.id, u.status, u.status_seq, u.since_us, u.unknown_seq, u.attributes::json, u.created_seq, u.seq,
       u.events, u.redacted_seq
  FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
              $10::bigint[], $11::bigint[], $12::bigint[])
    AS u (kind, id, status, status_seq, since_us, unknown_seq, attributes, created_seq, seq, events, redacted_seq)
ON CONFLICT (projection, kind, id) DO UPDATE
   SET status = excluded.status, status_seq = excluded.status_seq, since_us = excluded.since_us,
       unknown_seq = excluded.unknown_seq, attributes = excluded.attributes, seq = excluded.seq,
       events = excluded.events, redacted_seq = excluded.redacted_seq

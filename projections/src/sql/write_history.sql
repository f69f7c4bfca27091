-- write_history: the lines of a batch.
INSERT INTO views.history (projection, seq, occurred_us, recorded_us, legal, redacted, kind, id, event_type, from_status,
                           to_status, claimed, actor)
SELECT $1, u.*
  FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::boolean[], $6::boolean[], $7::text[], $8::text[], $9::text[],
              $10::text[], $11::text[], $12::text[], $13::text[]) AS u

-- write_derived: events that are expected from here on, or that were seen.
INSERT INTO views.derived (projection, id, cause_seq, seq, digest)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bytea[])
    ON CONFLICT (projection, id) DO UPDATE SET seq = EXCLUDED.seq

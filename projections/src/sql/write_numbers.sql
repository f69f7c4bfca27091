-- write_numbers: the highest numbers that publishers gave.
INSERT INTO views.publisher_number (projection, publisher, source, highest)
SELECT $1, u.publisher, u.source, u.highest
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS u (publisher, source, highest)
    ON CONFLICT (projection, publisher, source) DO UPDATE SET highest = excluded.highest

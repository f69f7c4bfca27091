-- write_links: what entities say at indexed places since this batch.
INSERT INTO views.link (projection, kind, id, field, target_kind, target_id)
SELECT $1, u.*
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u

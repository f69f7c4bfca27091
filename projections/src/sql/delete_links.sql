-- delete_links: what entities no longer say. By the entity, which has few: a popular target would be looked through whole,
-- so the index over targets is kept out of it. A look-up a key, whatever the statistics say.
DELETE FROM views.link l
 USING unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) AS u (source, field, target_kind, target_id)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.link
                      WHERE projection = $1 AND source = u.source AND field = u.field
                        AND target_kind || '' = u.target_kind AND target_id || '' = u.target_id LIMIT 1) old
 WHERE l.ctid = old.place

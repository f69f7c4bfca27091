-- delete_links: what they no longer say. By their entity, which has few: a popular target would be looked through whole,
-- so the index over targets is kept out of it. A look-up a key, whatever the statistics say.
DELETE FROM views.link l
 USING unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (kind, id, field, target_kind, target_id)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.link
                      WHERE projection = $1 AND kind = u.kind AND id = u.id AND field = u.field
                        AND target_kind || '' = u.target_kind AND target_id || '' = u.target_id LIMIT 1) old
 WHERE l.ctid = old.place

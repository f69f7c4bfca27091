-- delete_links: what entities no longer say. A look-up a key, whatever the statistics say.
DELETE FROM views.link l
 USING unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (source, kind, field, target_kind, target_id)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.link
                      WHERE projection = $1
                        AND views.digest(target_kind, target_id) = views.digest(u.target_kind, u.target_id)
                        AND views.digest(kind, field) = views.digest(u.kind, u.field) AND source = u.source
                        AND field = u.field AND target_kind = u.target_kind AND target_id = u.target_id LIMIT 1) old
 WHERE l.ctid = old.place

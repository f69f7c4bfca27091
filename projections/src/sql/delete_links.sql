-- delete_links: what they no longer say.
DELETE FROM views.link l
 USING unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (kind, id, field, target_kind, target_id)
 WHERE l.projection = $1 AND l.kind = u.kind AND l.id = u.id AND l.field = u.field
   AND l.target_kind = u.target_kind AND l.target_id = u.target_id

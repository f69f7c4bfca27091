-- delete_links: what they no longer say. By their entity, which has few: a popular target would be looked through whole,
-- so the index over targets is kept out of it.
DELETE FROM views.link l
 USING unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS u (kind, id, field, target_kind, target_id)
 WHERE l.projection = $1 AND l.kind = u.kind AND l.id = u.id AND l.field = u.field
   AND l.target_kind || '' = u.target_kind AND l.target_id || '' = u.target_id

-- delete_deadlines: deadlines that are no more, or come back otherwise. By their entity, which has few.
DELETE FROM views.deadline d
 USING unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS u (kind, id, owner, rule, part, key)
 WHERE d.projection = $1 AND d.kind = u.kind AND d.id = u.id AND d.owner = u.owner AND d.rule = u.rule
   AND d.part = u.part AND d.key = u.key

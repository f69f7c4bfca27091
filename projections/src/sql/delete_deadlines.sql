-- delete_deadlines: deadlines that are no more, or come back otherwise. By their entity, which has few. A look-up a key,
-- whatever the statistics say.
DELETE FROM views.deadline d
 USING unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS u (kind, id, owner, rule, part, key)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.deadline
                      WHERE projection = $1 AND kind = u.kind AND id = u.id AND owner = u.owner AND rule = u.rule
                        AND part = u.part AND key = u.key LIMIT 1) old
 WHERE d.ctid = old.place

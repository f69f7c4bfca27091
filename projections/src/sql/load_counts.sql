-- load_counts: how many entities these look-ups find. One at a time, whatever the statistics say.
SELECT k.number, l.count
  FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY
    AS k (kind, field, target_kind, target_id, number)
 CROSS JOIN LATERAL (SELECT count(*) FROM views.link
                      WHERE projection = $1
                        AND views.digest(target_kind, target_id) = views.digest(k.target_kind, k.target_id)
                        AND views.digest(kind, field) = views.digest(k.kind, k.field)
                        AND target_kind = k.target_kind AND target_id = k.target_id
                        AND kind = k.kind AND field = k.field) l

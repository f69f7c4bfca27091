-- see_verdicts: what became of verdicts that were derived before: where they stand in the chain, and what cleared them. A
-- look-up a key, whatever the statistics say.
UPDATE views.violation v SET seq = u.seq, status = u.status, how = u.how, cleared_seq = u.cleared_seq, told_seq = u.told_seq
  FROM unnest($2::text[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::bigint[])
    AS u (violation, seq, status, how, cleared_seq, told_seq)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.violation
                      WHERE projection = $1 AND violation = u.violation LIMIT 1) old
 WHERE v.ctid = old.place

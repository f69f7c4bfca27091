-- see_verdicts: where verdicts stand in the chain that were derived before.
UPDATE views.violation v SET seq = u.seq
  FROM unnest($2::text[], $3::bigint[]) AS u (violation, seq)
 WHERE v.projection = $1 AND v.violation = u.violation

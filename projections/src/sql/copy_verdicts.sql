-- copy_verdicts: verdicts that a batch derived, or found in the chain and cannot derive.
COPY views.violation (projection, violation, rule, severity, kind, id, cause_seq, judged_from, catalog, detail_key, judged,
                      seq, found_by, status, how, cleared_seq, told_seq)
FROM STDIN (FORMAT binary)

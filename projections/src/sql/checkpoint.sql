-- checkpoint: how far a ledger is folded in one state, live or building, and by whom.
SELECT projection, epoch, next_seq, recorded_us, chain, engine, package, redactions
  FROM views.projection WHERE ledger = $1 AND state = $2

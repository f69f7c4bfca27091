-- checkpoint: how far a ledger is folded, and by whom.
SELECT epoch, next_seq, recorded_us, chain, engine FROM views.projection WHERE ledger = $1

-- fence: the same, kept as it is until the transaction ends.
SELECT epoch, next_seq, recorded_us, chain, engine FROM views.projection WHERE ledger = $1 FOR UPDATE

-- fence: the same, kept as it is until the transaction ends, which need not wait for the disk: what a crash
-- takes away of the views it takes with the checkpoint, and it is folded again.
SELECT epoch, next_seq, recorded_us, chain, engine, set_config('synchronous_commit', 'off', true)
  FROM views.projection WHERE ledger = $1 FOR UPDATE

-- fence: how far a projection is, kept as it is until the transaction ends, which need not wait for the disk: what a
-- crash takes away of the views it takes with the checkpoint, and it is folded again. Statements look rows up by their
-- keys, whatever the statistics of a young table say.
SELECT projection, epoch, next_seq, recorded_us, chain, engine, package, redactions,
       set_config('synchronous_commit', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)
  FROM views.projection WHERE projection = $1 AND state = $2 FOR UPDATE

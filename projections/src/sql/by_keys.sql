-- by_keys: until the transaction ends, statements look rows up by their keys, whatever the statistics of a young table say.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_seqscan', 'off', true)

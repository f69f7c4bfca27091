-- in_order: until the transaction ends, statements read rows in the order of an index, whatever the statistics of a young
-- table say.
SELECT set_config('enable_sort', 'off', true), set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true)

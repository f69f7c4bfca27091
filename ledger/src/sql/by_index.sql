-- by_index: until the transaction ends, rows come in the order of an index, in which they lie. Left to itself the planner
-- fetches thousands otherwise, and sorts them.
SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_seqscan', 'off', true)

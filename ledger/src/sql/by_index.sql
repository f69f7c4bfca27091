-- by_index: until the transaction ends, rows come in the order of an index, in which they lie. Left to itself the planner
-- fetches thousands otherwise, and sorts them. A plan that was made for a few is not taken for that.
SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
       set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)

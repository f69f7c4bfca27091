-- retired: the projections whose rows can be deleted.
SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'retired' ORDER BY projection

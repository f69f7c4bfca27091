-- retired: the logs that were succeeded by others.
SELECT name, origin, succeeded_by FROM ledger.head WHERE succeeded_by IS NOT NULL ORDER BY ledger

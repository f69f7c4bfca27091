-- deletions: the events whose positions' data is deleted, and whether their messages are.
SELECT applied_seq, scrubbed FROM ledger.deletion WHERE ledger = $1

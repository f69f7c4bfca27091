-- position_of: which position has an identity, looked up by its key.
SELECT seq FROM ledger.seen WHERE ledger = $1 AND key = $2 LIMIT 1

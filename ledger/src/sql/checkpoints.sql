-- checkpoints: the signed heads of a range of sizes, in order.
SELECT size, root, note FROM ledger.checkpoint
 WHERE ledger = $1 AND size > $2 AND size <= $3
 ORDER BY size

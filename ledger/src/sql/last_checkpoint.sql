-- last_checkpoint: the last signed head.
SELECT note FROM ledger.checkpoint WHERE ledger = $1 ORDER BY size DESC LIMIT 1

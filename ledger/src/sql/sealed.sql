-- sealed: the size of the last signed head.
SELECT size FROM ledger.sealer WHERE ledger = $1

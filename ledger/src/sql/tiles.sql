-- tiles: full tiles of one level, in order.
SELECT number, hashes FROM ledger.tile
 WHERE ledger = $1 AND level = $2 AND number >= $3 AND number < $4
 ORDER BY number

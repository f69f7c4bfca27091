-- scan_data: salts and data of a range, in order, as far as they are there.
SELECT seq, salt, data FROM ledger.body
 WHERE ledger = $1 AND seq >= $2 AND seq < $3
 ORDER BY seq

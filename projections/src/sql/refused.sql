-- refused: the ledger's own messages after a position that the door did not let in under the catalog of now.
SELECT seq, reason FROM views.quarantine
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND publisher = 'ledger' AND seq >= $2
   AND seq > coalesce((SELECT max(seq) FROM views.activation a
                        WHERE a.projection = views.quarantine.projection), -1)
 ORDER BY seq LIMIT 1000

-- activations: the positions before a position at which a catalog was activated.
SELECT seq FROM views.activation
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND seq < $2 ORDER BY seq

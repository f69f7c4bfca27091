-- activations: the positions before a position at which a catalog was activated.
SELECT seq FROM views.activation WHERE ledger = $1 AND seq < $2 ORDER BY seq

-- settle_outbox: these were seen.
DELETE FROM views.outbox WHERE ledger = $1 AND id = ANY ($2)

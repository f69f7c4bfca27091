-- forget_outbox: for a rebuild.
DELETE FROM views.outbox WHERE ledger = $1

-- settle_outbox: these were seen.
DELETE FROM views.outbox WHERE projection = $1 AND id = ANY ($2)

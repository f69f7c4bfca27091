-- outbox: what is to be published, oldest cause first.
SELECT id, subject, body FROM views.outbox WHERE ledger = $1 ORDER BY cause_seq, id LIMIT 1000

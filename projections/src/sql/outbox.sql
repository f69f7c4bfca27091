-- outbox: what is to be published, oldest cause first. What a rebuild derives is not.
SELECT id, subject, body FROM views.outbox
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
 ORDER BY cause_seq, id LIMIT 1000

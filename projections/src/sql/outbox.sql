-- outbox: what is to be published, oldest cause first, but for these. What a rebuild derives is not.
SELECT id, subject, body FROM views.outbox
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND id <> ALL ($2::text[])
 ORDER BY cause_seq, id LIMIT 1000

-- outbox_of: which of these still wait in the outbox.
SELECT id FROM views.outbox
 WHERE projection = (SELECT projection FROM views.projection WHERE ledger = $1 AND state = 'live')
   AND id = ANY ($2::text[])

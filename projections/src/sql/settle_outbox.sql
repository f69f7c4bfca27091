-- settle_outbox: these were seen. A look-up a key, whatever the statistics say.
DELETE FROM views.outbox o
 USING unnest($2::text[]) AS u (id)
 CROSS JOIN LATERAL (SELECT ctid AS place FROM views.outbox WHERE projection = $1 AND id = u.id LIMIT 1) old
 WHERE o.ctid = old.place

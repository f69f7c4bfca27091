-- write_outbox: a message to publish until it is seen.
INSERT INTO views.outbox (projection, cause_seq, id, subject, body) VALUES ($1, $2, $3, $4, $5)

-- copy_outbox: messages to publish until they are seen.
COPY views.outbox (cause_seq, projection, id, subject, body) FROM STDIN (FORMAT binary)

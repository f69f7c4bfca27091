-- The publisher reads the outbox ten times a second, oldest cause first and a thousand at a time. Without this index it
-- sorted all that waits each time, which is much where NATS was away, or where many events broke rules at once.
CREATE INDEX outbox_cause ON views.outbox (projection, cause_seq, id);

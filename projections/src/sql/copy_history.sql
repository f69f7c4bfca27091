-- copy_history: the lines of a batch.
COPY views.history (seq, occurred_us, recorded_us, source, projection, legal, redacted, kind, id, event_type, from_status,
                    to_status, claimed, actor)
FROM STDIN (FORMAT binary)

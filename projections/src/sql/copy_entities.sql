-- copy_entities: entities that began in a batch.
COPY views.entity (seq, created_seq, events, status_seq, since_us, unknown_seq, redacted_seq, projection, kind, id, status,
                   attributes, status_recorded_us, created_us, created_recorded_us, changed_us, changed_recorded_us)
FROM STDIN (FORMAT binary)

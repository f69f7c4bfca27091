-- write_quarantined: a message that was refused.
INSERT INTO views.quarantine (projection, seq, recorded_us, size, reason, at, publisher, nats_subject)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

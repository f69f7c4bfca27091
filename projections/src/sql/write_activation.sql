-- write_activation: from here on another catalog judges.
INSERT INTO views.activation (projection, seq, digest) VALUES ($1, $2, $3)

-- redact_quarantine: takes out what the data of refused messages said.
UPDATE views.quarantine SET reason = NULL, at = '', nats_subject = NULL, size = NULL
 WHERE projection = $1 AND seq = ANY ($2)

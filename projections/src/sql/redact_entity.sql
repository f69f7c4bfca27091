-- redact_entity: what is left of an entity's attributes, and from where on some may be missing.
UPDATE views.entity SET attributes = $4::text::json, redacted_seq = least(coalesce(redacted_seq, $5), $5)
 WHERE projection = $1 AND kind = $2 AND id = $3

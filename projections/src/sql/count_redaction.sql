-- count_redaction: tells projectors that values were taken out.
UPDATE views.projection SET redactions = redactions + 1 WHERE projection = $1

-- copy_incidents: incidents that a batch opened.
COPY views.incident (projection, incident, class, kind, id, severity, status, rule, judged, opened_seq, opened_us,
                     last_cause, reopens, acknowledged_seq, acknowledged_us, acknowledged_by, resolved_seq, resolved_us,
                     resolved_by)
FROM STDIN (FORMAT binary)

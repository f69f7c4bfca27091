-- copy_causes: causes of incidents.
COPY views.incident_cause (cause_seq, projection, incident) FROM STDIN (FORMAT binary)

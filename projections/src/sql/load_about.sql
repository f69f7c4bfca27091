-- load_about: what these incidents are about.
SELECT incident, kind, id FROM views.incident WHERE projection = $1 AND incident = ANY ($2)

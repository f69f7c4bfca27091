-- write_made_view: a view was made.
INSERT INTO views.made_view (name, digest) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest

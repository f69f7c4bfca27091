-- lock_rebuild: whether nobody else rebuilds; then nobody can until this connection ends.
SELECT pg_try_advisory_lock($1, $2)

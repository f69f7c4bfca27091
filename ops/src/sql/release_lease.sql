-- release_lease: gives up the role with this key
SELECT pg_advisory_unlock($1)

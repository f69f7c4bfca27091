-- take_lease: whether this session now has the role with this key; it keeps it until its connection ends
SELECT pg_try_advisory_lock($1)

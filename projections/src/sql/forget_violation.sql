-- forget_violation: for a rebuild.
DELETE FROM views.violation WHERE ledger = $1

-- forget_quarantine: for a rebuild.
DELETE FROM views.quarantine WHERE ledger = $1

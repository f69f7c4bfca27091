-- forget_history: for a rebuild.
DELETE FROM views.history WHERE ledger = $1

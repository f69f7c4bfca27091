-- forget_activation: for a rebuild.
DELETE FROM views.activation WHERE ledger = $1

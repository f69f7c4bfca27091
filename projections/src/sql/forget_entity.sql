-- forget_entity: for a rebuild.
DELETE FROM views.entity WHERE ledger = $1

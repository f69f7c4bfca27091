-- restart: puts the checkpoint before the chain, for a rebuild by this engine.
UPDATE views.projection SET next_seq = 0, recorded_us = 0, chain = NULL, engine = $3 WHERE ledger = $1 AND epoch = $2

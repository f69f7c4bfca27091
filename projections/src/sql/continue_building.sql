-- continue_building: goes on with one that was begun; whoever did so before is fenced out.
UPDATE views.projection SET epoch = epoch + 1 WHERE ledger = $1 AND state = 'building'
RETURNING projection, epoch, next_seq, recorded_us, chain, engine, package, redactions

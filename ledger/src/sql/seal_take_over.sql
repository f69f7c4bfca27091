-- seal_take_over: begins a new epoch of sealing, and gives what was sealed last.
UPDATE ledger.sealer s SET epoch = s.epoch + 1
 WHERE s.ledger = $1
RETURNING s.epoch, s.size, (SELECT c.note FROM ledger.checkpoint c WHERE c.ledger = s.ledger AND c.size = s.size)
